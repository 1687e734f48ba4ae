package browser

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

const token = "c0ffee00c0ffee00c0ffee00c0ffee00"

// world is the built daemon with remotes of every kind: one that is fine, one
// with a wrong password, one that a guard will hold, one that is dead, and one in
// a long full sync.
type world struct {
	t           *testing.T
	g           *testbed.Gorsyncd
	www, bbs    string // sources
	ok, guarded string // where the good one and the guarded one arrive
	url         string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, www: filepath.Join(dir, "www"), bbs: filepath.Join(dir, "bbs"), ok: filepath.Join(dir, "ok"), guarded: filepath.Join(dir, "guarded")}
	for _, d := range []string{w.www, w.bbs, w.ok, w.guarded, filepath.Join(dir, "auth"), filepath.Join(dir, "slow")} {
		must(t, os.Mkdir(d, 0o755))
	}
	rsyncd := testbed.RunRsyncd(t)
	secrets, err := rsyncd.WriteSecrets("secrets", "bob:right\n", 0o600)
	must(t, err)
	must(t, rsyncd.SetModules(testbed.Module{Name: "ok", Path: w.ok}, testbed.Module{Name: "guarded", Path: w.guarded}, testbed.Module{Name: "slow", Path: filepath.Join(dir, "slow")},
		testbed.Module{Name: "auth", Path: filepath.Join(dir, "auth"), Extra: []string{"auth users = bob", "secrets file = " + secrets}}))
	must(t, os.WriteFile(filepath.Join(dir, "password"), []byte("wrong\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "token"), []byte(token+"\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(w.www, "big.bin"), make([]byte, 4<<20), 0o644))
	for i := range 30 {
		w.write(w.www, fmt.Sprintf("d%d/file%d", i%3, i), "content")
	}
	for _, name := range append([]string{"keep", "gone"}, hostile...) {
		w.write(w.bbs, strings.ReplaceAll(name, "/", "_"), "content")
	}
	address := freeAddress(t)
	w.url = "http://" + address + "/"
	w.g, err = testbed.NewGorsyncd(binary(t), dir, fmt.Sprintf(`
http: {listen: %q, token_file: %q}
defaults: {retry: {initial: 200ms, max: 20s}}
sources:
  - path: %q
    name: www
    remotes:
      - {name: ok, target: %q}
      - {name: auth, target: %q, password_file: %q}
      - {name: dead, target: "rsync://%s/m"}
      - {name: slow, target: %q, bwlimit: 20KiB}
  - path: %q
    name: bbs
    remotes:
      - {name: web1, target: %q, guard: {max_delete: 1}}
`, address, filepath.Join(dir, "token"), w.www, rsyncd.Target("ok"), rsyncd.UserTarget("bob", "auth"), filepath.Join(dir, "password"), freeAddress(t), rsyncd.Target("slow"), w.bbs, rsyncd.Target("guarded")))
	must(t, err)
	must(t, w.g.Start())
	t.Cleanup(func() {
		_ = w.g.Kill9() // to stop politely would wait for the long full sync
		if t.Failed() {
			log, _ := os.ReadFile(w.g.Log)
			t.Logf("the daemon's log ends with:\n%s", log[max(0, len(log)-4000):])
		}
	})
	return w
}

// binary builds gorsyncd.
func binary(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "gorsyncd")
	build := exec.Command("go", "build", "-o", bin, "./cmd/gorsyncd")
	build.Dir = "../../../.." // with what go.mod there says
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build gorsyncd: %v\n%s", err, out)
	}
	return bin
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) write(root, name, content string) {
	w.t.Helper()
	path := filepath.Join(root, name)
	must(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(w.t, os.WriteFile(path, []byte(content), 0o644))
}

// remoteDoc is what tests need of a remote.
type remoteDoc struct {
	Name       string  `json:"name"`
	State      string  `json:"state"`
	LagEntries uint64  `json:"lag_entries"`
	LagSeconds float64 `json:"lag_seconds"`
	LastFull   string  `json:"last_full_sync"`
	Error      *struct {
		Attempts int `json:"attempts"`
	} `json:"error"`
}

// remote asks the command line for the state of one.
func (w *world) remote(name string) remoteDoc {
	w.t.Helper()
	out, _, err := w.g.Output("status", "--json")
	must(w.t, err)
	var doc struct {
		Remotes []remoteDoc `json:"remotes"`
	}
	must(w.t, json.Unmarshal([]byte(out), &doc))
	for _, r := range doc.Remotes {
		if r.Name == name {
			return r
		}
	}
	return remoteDoc{} // not yet
}

func (w *world) wait(what string, limit time.Duration, cond func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(limit); !cond(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			out, _, _ := w.g.Run("status")
			w.t.Fatalf("waited %s for %s\n%s", limit, what, out)
		}
	}
}

func (w *world) waitState(name, state string) {
	w.t.Helper()
	w.wait(name+" to be "+state, 20*time.Second, func() bool { return w.remote(name).State == state })
}

// events are the last changes as the command line tells them, newest first: source
// and seq of each.
func (w *world) events() []string {
	w.t.Helper()
	out, code, err := w.g.Output("events", "--json")
	must(w.t, err)
	if code != 0 {
		w.t.Fatalf("events: exit %d\n%s", code, out)
	}
	var list []string
	for line := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		var e struct {
			Event, Source string
			Seq           uint64
		}
		must(w.t, json.Unmarshal([]byte(line), &e))
		if e.Event == "entry" {
			list = append([]string{fmt.Sprintf("%s #%d", e.Source, e.Seq)}, list...)
		}
	}
	return list
}
