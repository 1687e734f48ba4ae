package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// eventDoc is a line of events --json.
type eventDoc struct {
	Event    string `json:"event"`
	Source   string `json:"source"`
	Seq      uint64 `json:"seq"`
	Op       string `json:"op"`
	Path     string `json:"path"`
	Position string `json:"position"`
}

// follower is an events --follow --json that writes to a file.
type follower struct {
	t    *testing.T
	proc *testbed.Process
	file string
}

func (r *rig) follow(args ...string) *follower {
	r.t.Helper()
	f := &follower{t: r.t, file: filepath.Join(r.t.TempDir(), "events")}
	out, err := os.Create(f.file)
	must(r.t, err)
	defer out.Close()
	cmd := exec.Command(binary, append([]string{"--config", r.config, "events", "--follow", "--json"}, args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env(), out, os.Stderr
	f.proc, err = testbed.StartProcess(cmd)
	must(r.t, err)
	r.t.Cleanup(f.proc.Kill)
	return f
}

func (f *follower) lines() (list []eventDoc) {
	f.t.Helper()
	return parseEvents(f.t, f.file)
}

func parseEvents(t *testing.T, file string) (list []eventDoc) {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	sc := bufio.NewScanner(strings.NewReader(string(b)))
	for sc.Scan() {
		var e eventDoc
		if json.Unmarshal(sc.Bytes(), &e) == nil { // the last one may be half there
			list = append(list, e)
		}
	}
	return list
}

// check demands that seqs of each source ascend, so that nothing comes twice, and
// returns the newest op of each path.
func (f *follower) check() map[string]string {
	f.t.Helper()
	last, newest := map[string]uint64{}, map[string]string{}
	for _, e := range f.lines() {
		switch e.Event {
		case "gap":
			f.t.Errorf("a gap: %+v", e)
		case "entry":
			if e.Seq <= last[e.Source] {
				f.t.Errorf("%s#%d after #%d", e.Source, e.Seq, last[e.Source])
			}
			last[e.Source] = e.Seq
			newest[e.Source+"/"+e.Path] = e.Op
		}
	}
	return newest
}

func (f *follower) has(path string) bool { return f.check()[path] != "" }

func (f *follower) position() (last string) {
	for _, e := range f.lines() {
		if e.Event == "position" {
			last = e.Position
		}
	}
	return last
}

// TestFollowEvents: a follower sees every change once, over a reload that adds a
// source, a kill of the daemon, and a time in which it reads nothing itself.
func TestFollowEvents(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	a, b := mkdir(t, base, "a"), mkdir(t, base, "b")
	a1, b1 := mkdir(t, base, "a1"), mkdir(t, base, "b1")
	one := fmt.Sprintf("sources:\n  - {path: %s, name: a, remotes: [{name: r, target: %s}]}\n", a, a1)
	r := newRig(t, one)
	r.start()
	r.flush(20 * time.Second)
	f := r.follow()
	write(t, filepath.Join(a, "first"), "x")
	r.waitFor("the first event", 20*time.Second, func() bool { return f.has("a/first") })

	r.setConfig(one + fmt.Sprintf("  - {path: %s, name: b, remotes: [{name: r, target: %s}]}\n", b, b1))
	r.mustCLI("reload")
	r.flush(20 * time.Second)
	write(t, filepath.Join(b, "second"), "x")
	r.waitFor("an event of the new source", 20*time.Second, func() bool { return f.has("b/second") })

	r.kill9()
	write(t, filepath.Join(a, "third"), "x")
	r.start()
	r.waitFor("events after a crash", 20*time.Second, func() bool { return f.has("a/third") })

	// One that reads nothing holds nobody up.
	must(t, f.proc.Signal(syscall.SIGSTOP))
	for i := range 1500 {
		write(t, filepath.Join(a, fmt.Sprintf("d%d", i%30), fmt.Sprint(i)), "x")
	}
	r.flush(60 * time.Second)
	must(t, os.RemoveAll(filepath.Join(a, "d7")))
	r.flush(20 * time.Second)
	must(t, f.proc.Signal(syscall.SIGCONT))
	write(t, filepath.Join(a, "last"), "x")
	r.waitFor("all that was missed", 20*time.Second, func() bool { return f.has("a/last") })
	newest := f.check()
	for i := range 1500 {
		if i%30 != 7 && newest[fmt.Sprintf("a/d%d/%d", i%30, i)] != "change" {
			t.Fatalf("no event of %d", i)
		}
	}
	if newest["a/d7"] != "remove" {
		t.Errorf("the removal: %q", newest["a/d7"])
	}

	// What its last position says is enough to go on.
	r.waitFor("a position behind the last event", 20*time.Second, func() bool {
		list := f.lines()
		return list[len(list)-1].Event == "position"
	})
	must(t, f.proc.Signal(syscall.SIGTERM))
	<-f.proc.Done()
	write(t, filepath.Join(b, "later"), "x")
	r.flush(20 * time.Second)
	out := r.mustCLI("events", "--json", "--from", f.position())
	if n := strings.Count(out, `"event":"entry"`); n != 2 || !strings.Contains(out, `"path":"later"`) { // and the root
		t.Errorf("resumed with %d events:\n%s", n, out)
	}
	r.stop()
	offline := r.mustCLI("events", "--json", "--from", f.position())
	if offline != out {
		t.Errorf("without the daemon:\n%s\nwith it:\n%s", offline, out)
	}
	tail := r.mustCLI("journal", "tail", "-n", "1")
	contains(t, tail, "later")
}

// TestRetryConcernsWhoHasThePath: retry takes names and paths, and tells of the
// remotes that it concerned.
func TestRetryConcernsWhoHasThePath(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	a, b := mkdir(t, base, "a"), mkdir(t, base, "b")
	r := newRig(t, fmt.Sprintf("sources:\n  - {path: %s, name: a, remotes: [{name: r, target: %s}]}\n  - {path: %s, name: b, remotes: [{name: r, target: %s}]}\n",
		a, mkdir(t, base, "a1"), b, mkdir(t, base, "b1")))
	r.start()
	r.flush(20 * time.Second)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "a/r: trying now\nb/r: trying now\n"},
		{[]string{"b/r"}, "b/r: trying now\n"},
		{[]string{filepath.Join(a, "x")}, "a/r: trying now\n"},
		{[]string{"b/r", filepath.Join(a, "x")}, ""},
	} {
		if out := r.mustCLI(append([]string{"retry"}, c.args...)...); out != c.want {
			t.Errorf("retry %q: %q, want %q", c.args, out, c.want)
		}
	}
	_, errOut, code := r.cli("retry", "b/rr")
	if code != 64 {
		t.Errorf("an unknown name: exit %d", code)
	}
	contains(t, errOut, `did you mean "b/r"?`)
}
