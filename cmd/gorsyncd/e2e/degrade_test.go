package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// sysctl sets a value for the test and puts the old one back.
func sysctl(t *testing.T, name, value string) {
	t.Helper()
	path := "/proc/sys/" + name
	old, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(value), 0o644))
	t.Cleanup(func() {
		if err := os.WriteFile(path, old, 0o644); err != nil {
			t.Errorf("restore %s: %v", name, err)
		}
	})
}

func TestQueueOverflow(t *testing.T) {
	sysctl(t, "fs/inotify/max_queued_events", "8")
	src, dst := trees(t)
	_, r := serve(t, src, dst, "defaults: {guard: {max_delete: 0}, watch: {backend: inotify}}")
	r.start()
	churn := testbed.NewChurn(src, seed(t))
	r.waitFor("an overflow", 30*time.Second, func() bool {
		churn.Steps(2000)
		return r.status().Sources[0].Overflows > 0
	})
	r.flush(60 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
	contains(t, strings.Join(r.status().Sources[0].Hints, "\n"), "fs.inotify.max_queued_events")
	contains(t, r.mustCLI("status"), "max_queued_events")
}

func TestWatchesExhausted(t *testing.T) {
	src, dst := trees(t)
	for i := range 60 {
		write(t, filepath.Join(src, fmt.Sprintf("d%02d", i), "f"), "x")
	}
	_, r := serve(t, src, dst, "defaults: {watch: {backend: inotify}}")
	sysctl(t, "fs/inotify/max_user_watches", "20")
	r.start()
	r.flush(60 * time.Second)
	doc := r.status().Sources[0]
	if doc.Unwatched == 0 {
		t.Errorf("nothing unwatched with 20 watches for 60 directories: %+v", doc)
	}
	contains(t, strings.Join(doc.Hints, "\n"), "fs.inotify.max_user_watches")
	for i := range 60 {
		write(t, filepath.Join(src, fmt.Sprintf("d%02d", i), "later"), strconv.Itoa(i))
	}
	testbed.WaitEqual(t, src, dst, 90*time.Second) // unwatched parts come by periodic scans
	must(t, os.WriteFile("/proc/sys/fs/inotify/max_user_watches", []byte("100000"), 0o644))
	r.waitFor("the watches to be complete", 90*time.Second, func() bool { return r.status().Sources[0].Unwatched == 0 })
}

// TestBackend: what the configuration asks for is used, and a reload changes it.
func TestBackend(t *testing.T) {
	src, dst := trees(t)
	write(t, filepath.Join(src, "d", "f"), "x")
	d, r := serve(t, src, dst, "defaults: {watch: {backend: inotify}}")
	r.start()
	r.flush(60 * time.Second)
	for i, want := range []string{"inotify", "fanotify", "inotify"} {
		r.setConfig(oneRemote(src, d.Target("m"), "defaults: {watch: {backend: "+want+"}}"))
		r.mustCLI("reload")
		r.waitFor("the backend "+want, 30*time.Second, func() bool { return r.status().Sources[0].Backend == want })
		write(t, filepath.Join(src, "d", "f"), strconv.Itoa(i))
		r.flush(60 * time.Second)
		testbed.WaitEqual(t, src, dst, time.Second)
		contains(t, r.mustCLI("status"), "watched ("+want)
	}
}

// TestDeadRemote: one remote is gone the whole time; the others do not notice,
// and the journal grows with the paths, not with the changes.
func TestDeadRemote(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	src, dst1, dst2 := mkdir(t, base, "src"), mkdir(t, base, "dst1"), mkdir(t, base, "dst2")
	alive := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst1})
	dead := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst2})
	r := newRig(t, fmt.Sprintf(`
defaults: {retry: {initial: 200ms, max: 1s}}
sources:
  - path: %s
    name: src
    remotes:
      - {name: alive, target: %q}
      - {name: dead, target: %q}
journal: {retain: 0s}
`, src, alive.Target("m"), dead.Target("m")))
	for i := range 20 {
		write(t, filepath.Join(src, "hot", strconv.Itoa(i)), "start")
	}
	r.start()
	r.flush(30 * time.Second)
	dead.Stop()

	for round := range 60 {
		for i := range 20 {
			write(t, filepath.Join(src, "hot", strconv.Itoa(i)), fmt.Sprintf("round %d", round))
		}
		r.flush(10*time.Second, "--remote", "src/alive")
	}
	testbed.WaitEqual(t, src, dst1, time.Second)
	doc := r.waitState("src/dead", "retrying", 10*time.Second)
	if doc.Error == nil || doc.Error.ID != "E-CONNECT" || doc.Error.NextRetry.IsZero() || doc.LagSeconds == 0 {
		t.Errorf("dead remote: %+v, error %+v", doc, doc.Error)
	}
	if n := r.status().Journal.Entries; n > 60 {
		t.Errorf("1,200 changes of 20 paths left %d entries", n)
	}
	// flush names the blocker instead of hanging.
	out, errOut, code := r.cli("flush", "--timeout", "1s")
	if code != 3 {
		t.Errorf("flush with a dead remote: exit %d", code)
	}
	contains(t, out+errOut, "src/dead", "E-CONNECT")

	must(t, dead.Start())
	testbed.WaitEqual(t, src, dst2, 20*time.Second)
	r.waitSync(10 * time.Second)
}

func TestStatusAndInspectWithDaemonDown(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	d, r := serve(t, src, dst, "")
	r.start()
	write(t, filepath.Join(src, "delivered"), "x")
	r.flush(20 * time.Second)
	contains(t, r.mustCLI("journal", "inspect", "--state", "acked"), "delivered")
	contains(t, r.mustCLI("journal", "stats"), "src")
	d.Stop()
	write(t, filepath.Join(src, "waiting"), "x")
	r.waitState("src/r", "retrying", 20*time.Second)
	contains(t, r.mustCLI("journal", "inspect", "--state", "queued"), "waiting")

	r.kill9()
	out, errOut, code := r.cli("status")
	if code != 3 && code != 4 {
		t.Errorf("status with a backlog and no daemon: exit %d", code)
	}
	contains(t, out+errOut, "src/r", "not running")
	out, errOut, code = r.cli("journal", "inspect", "--json", "--state", "queued")
	if code != 0 {
		t.Fatalf("journal inspect after kill -9: exit %d %s", code, errOut)
	}
	contains(t, out, `"waiting"`)
	contains(t, errOut, "copy")
	must(t, d.Start())
	r.start()
	r.flush(20 * time.Second)
	r.stop()
	_, errOut, code = r.cli("journal", "inspect")
	if code != 0 {
		t.Fatalf("journal inspect: exit %d %s", code, errOut)
	}
	contains(t, errOut, "read-only")
}

// TestStateDiskFull: with no space for the journal nothing is forgotten, nothing
// crashes, and it is said; with space it goes on by itself.
func TestStateDiskFull(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "")
	mkdir(t, r.stateDir())
	run(t, "mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", r.stateDir())
	t.Cleanup(func() { run(t, "umount", "-l", r.stateDir()) })
	// Cleanups run in reverse: the daemon has to stop before its disk goes.
	t.Cleanup(r.cleanup)
	r.start()
	r.flush(20 * time.Second)

	filler := filepath.Join(r.stateDir(), "filler")
	run(t, "fallocate", "-l", "180m", filler)
	time.Sleep(1100 * time.Millisecond) // the journal looks at free space once a second
	for i := range 20 {
		write(t, filepath.Join(src, "while-full", strconv.Itoa(i)), "x")
	}
	r.waitFor("the shortage to be shown", 20*time.Second, func() bool {
		out, _, code := r.cli("status")
		return code == 4 && strings.Contains(out, "waits for space")
	})
	must(t, os.Remove(filler))
	r.waitSync(30 * time.Second)
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}
