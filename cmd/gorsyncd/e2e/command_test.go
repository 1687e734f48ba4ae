package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

func TestPauseSurvivesRestart(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "")
	r.start()
	r.flush(20 * time.Second)
	r.mustCLI("pause", "src/r", "--reason", "maintenance")
	write(t, filepath.Join(src, "f"), "x")
	r.waitState("src/r", "paused", 10*time.Second)
	r.kill9()
	r.start()
	r.waitState("src/r", "paused", 10*time.Second)
	out, _, _ := r.cli("status")
	contains(t, out, "maintenance")
	if _, err := os.Stat(filepath.Join(dst, "f")); err == nil {
		t.Error("a paused remote got a file")
	}
	r.mustCLI("resume", "src/r")
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}

func TestExplainAndFilter(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(dst, "cache/stranger"), "stays")
	write(t, filepath.Join(dst, "stranger.o"), "stays")
	_, r := serve(t, src, dst, `defaults: {exclude: ["*.o", "/cache/"], delete: all}`)
	write(t, filepath.Join(src, "cache/deep/x"), "x")
	write(t, filepath.Join(src, "keep"), "x")
	r.start()
	r.flush(20 * time.Second)
	write(t, filepath.Join(src, "cache/live"), "x")
	write(t, filepath.Join(src, "live.o"), "x")
	write(t, filepath.Join(src, "live"), "x")
	r.mustCLI("sync", "src/r")
	r.flush(20 * time.Second)
	for path, want := range map[string]bool{"keep": true, "live": true, "live.o": false, "cache/live": false, "cache/deep": false, "cache/stranger": true, "stranger.o": true} {
		if _, err := os.Lstat(filepath.Join(dst, path)); (err == nil) != want {
			t.Errorf("on the remote, %s: %v, want it there: %v", path, err, want)
		}
	}
	out, errOut, code := r.cli("explain", filepath.Join(src, "cache/live"))
	if code != 3 {
		t.Errorf("explain of an excluded path: exit %d", code)
	}
	contains(t, out+errOut, "EXCLUDED", "/cache/", r.config)
	out, _, code = r.cli("explain", filepath.Join(src, "live"))
	if code != 0 {
		t.Errorf("explain: exit %d\n%s", code, out)
	}
	contains(t, out, "included", "src/r")
}

// TestSyncRepairs: a full sync puts right what was changed on the remote.
func TestSyncRepairs(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	fill(t, src, 100)
	_, r := serve(t, src, dst, "")
	r.start()
	r.flush(20 * time.Second)
	must(t, os.RemoveAll(filepath.Join(dst, "d3")))
	write(t, filepath.Join(dst, "d4", "4"), "damaged")
	st, err := os.Stat(filepath.Join(src, "d5", "5"))
	must(t, err)
	write(t, filepath.Join(dst, "d5", "5"), "CONTENT")
	must(t, os.Chtimes(filepath.Join(dst, "d5", "5"), st.ModTime(), st.ModTime()))

	out := r.mustCLI("sync", "src/r", "--dry-run")
	contains(t, out, "d4/4")
	if b, _ := os.ReadFile(filepath.Join(dst, "d4", "4")); string(b) != "damaged" {
		t.Error("a dry run changed the remote")
	}
	r.mustCLI("sync", "src/*", "--checksum")
	r.flush(30 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}

// TestStrangersStay: with delete: tracked what the source never had is left
// alone, also in directories that change, and what it lost goes.
func TestStrangersStay(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	fill(t, src, 30)
	write(t, filepath.Join(dst, "stranger"), "s")
	write(t, filepath.Join(dst, "d1/stranger"), "s")
	r := newRig(t, oneRemote(src, dst, ""))
	r.start()
	r.flush(20 * time.Second)
	must(t, os.Remove(filepath.Join(src, "d1/1")))
	must(t, os.RemoveAll(filepath.Join(src, "d2")))
	r.mustCLI("sync", "src/r")
	r.flush(20 * time.Second)
	for path, want := range map[string]bool{"stranger": true, "d1/stranger": true, "d1/1": false, "d2": false, "d1/11": true} {
		if _, err := os.Lstat(filepath.Join(dst, path)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", path, err, want)
		}
	}
}

// TestReload adds and drops sources and remotes while the rest goes on.
func TestReload(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	a, b := mkdir(t, base, "a"), mkdir(t, base, "b")
	a1, a2, b1 := mkdir(t, base, "a1"), mkdir(t, base, "a2"), mkdir(t, base, "b1")
	fill(t, a, 20)
	fill(t, b, 20)
	r := newRig(t, fmt.Sprintf("sources:\n  - {path: %s, remotes: [%s]}\n", a, a1))
	r.start()
	r.flush(20 * time.Second)

	r.setConfig(fmt.Sprintf("sources:\n  - {path: %s, remotes: [%s, %s]}\n  - {path: %s, remotes: [%s]}\n", a, a1, a2, b, b1))
	out := r.mustCLI("reload")
	contains(t, out, "a/a2", "b/b1", "added")
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, a, a2, time.Second)
	testbed.WaitEqual(t, b, b1, time.Second)

	must(t, os.WriteFile(r.config, []byte("sources: what\n"), 0o600))
	_, errOut, code := r.cli("reload")
	if code != 78 {
		t.Errorf("reload of a bad file: exit %d", code)
	}
	contains(t, errOut, "gorsyncd.yaml:1:")
	write(t, filepath.Join(a, "still"), "x")
	r.waitFor("the old configuration to go on", 10*time.Second, func() bool {
		_, err := os.Stat(filepath.Join(a2, "still"))
		return err == nil
	})

	r.setConfig(fmt.Sprintf("sources:\n  - {path: %s, remotes: [%s]}\n", a, a2))
	r.mustCLI("reload")
	if n := len(r.status().Remotes); n != 1 {
		t.Errorf("%d remotes after two were dropped", n)
	}
	write(t, filepath.Join(a, "last"), "x")
	r.flush(20 * time.Second)
	if _, err := os.Stat(filepath.Join(a1, "last")); err == nil {
		t.Error("a dropped remote got a file")
	}
}

// TestFlushIsAFence: whatever was written before the call is there after it.
func TestFlushIsAFence(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "")
	r.start()
	r.flush(20 * time.Second)
	for i := range 25 {
		path := fmt.Sprintf("new%d/a/b/c/%s", i, strings.Repeat("f", i+1))
		write(t, filepath.Join(src, path), fmt.Sprint(i))
		r.flush(10 * time.Second)
		got, err := os.ReadFile(filepath.Join(dst, path))
		if err != nil || string(got) != fmt.Sprint(i) {
			t.Fatalf("round %d: after flush: %q %v", i, got, err)
		}
	}
}

// TestLostJournalIsRebuilt: a damaged journal is kept aside, everything is found again.
func TestLostJournalIsRebuilt(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	fill(t, src, 50)
	_, r := serve(t, src, dst, "")
	r.start()
	r.flush(20 * time.Second)
	r.kill9()
	must(t, os.Remove(filepath.Join(r.stateDir(), "journal", "MANIFEST")))
	write(t, filepath.Join(src, "meanwhile"), "x")
	must(t, os.RemoveAll(filepath.Join(dst, "d1"))) // only a full sync can find this
	r.start()
	r.flush(30 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
	aside, err := filepath.Glob(filepath.Join(r.stateDir(), "journal.lost-*"))
	must(t, err)
	if len(aside) == 0 {
		t.Error("the damaged journal was not kept aside")
	}
	log, err := os.ReadFile(r.log)
	must(t, err)
	contains(t, string(log), "journal lost")
}

// TestFilterChange: what was passed over under one filter arrives under the
// next, also what changed while it was left out.
func TestFilterChange(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	d, r := serve(t, src, dst, "")
	write(t, filepath.Join(src, "f.log"), "v1")
	r.start()
	r.flush(20 * time.Second)
	d.Stop()
	write(t, filepath.Join(src, "f.log"), "v2, journaled, not sent")
	write(t, filepath.Join(src, "other"), "x")
	r.waitState("src/r", "retrying", 10*time.Second)
	r.setConfig(oneRemote(src, d.Target("m"), `defaults: {exclude: ["*.log"]}`))
	r.mustCLI("reload")
	must(t, d.Start())
	r.mustCLI("retry", "src/r")
	r.flush(20 * time.Second)
	if b, err := os.ReadFile(filepath.Join(dst, "f.log")); err != nil || string(b) != "v1" {
		t.Errorf("an excluded file changed on the remote: %q %v", b, err)
	}
	r.kill9() // the same across a start
	r.setConfig(oneRemote(src, d.Target("m"), ""))
	r.start()
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)

	// A filter of the remote alone.
	write(t, filepath.Join(src, "only.tmp"), "v1")
	remote := func(rule string) string {
		return fmt.Sprintf("sources:\n  - path: %q\n    name: src\n    remotes:\n      - {name: r, target: %q%s}\n", src, d.Target("m"), rule)
	}
	r.setConfig(remote(`, exclude: ["*.tmp"]`))
	r.mustCLI("reload")
	write(t, filepath.Join(src, "only.tmp"), "v2")
	r.flush(20 * time.Second)
	r.setConfig(remote(""))
	r.mustCLI("reload")
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}
