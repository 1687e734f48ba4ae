package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestNamesOfRemotes: sources, remotes and patterns select what they say, in every
// command that acts; a pause for a time ends by itself, also over a restart.
func TestNamesOfRemotes(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	www, bbs := mkdir(t, base, "www"), mkdir(t, base, "bbs")
	targets := map[string]string{}
	var lines [2]string
	for i, name := range []string{"www/nas", "www/web", "bbs/nas", "bbs/web"} {
		targets[name] = mkdir(t, base, strings.ReplaceAll(name, "/", "-"))
		lines[i/2] += remoteLine(filepath.Base(name), targets[name], "")
	}
	r := newRig(t, fmt.Sprintf("defaults: {guard: {max_delete: 3}, retry: {initial: 1h, max: 2h}}\nsources:\n  - path: %s\n    remotes:\n%s  - path: %s\n    remotes:\n%s", www, lines[0], bbs, lines[1]))
	write(t, filepath.Join(www, "stays"), "x")
	for i := range 10 {
		write(t, filepath.Join(www, "d", fmt.Sprint(i)), "x")
		write(t, filepath.Join(bbs, "d", fmt.Sprint(i)), "x")
	}
	r.start()
	r.flush(30 * time.Second)
	states := func() string {
		var out []string
		for _, rem := range r.status().Remotes {
			out = append(out, rem.Name+" "+rem.State)
		}
		return strings.Join(out, ", ")
	}
	act := func(want string, args ...string) {
		t.Helper()
		out := r.mustCLI(args...)
		var names []string
		for line := range strings.Lines(out) {
			name, _, _ := strings.Cut(line, ":")
			names = append(names, name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%v is about %q, want %q", args, got, want)
		}
	}
	act("www/nas www/web", "pause", "www/*", "--for", "1h", "--reason", "disk")
	act("www/nas bbs/nas", "pause", "*/nas")
	act("bbs/web", "pause", "bbs/w?b", "--for", "4s")
	until := time.Now().Add(4 * time.Second)
	if s := states(); strings.Count(s, "paused") != 4 {
		t.Errorf("all are paused, but: %s", s)
	}
	write(t, filepath.Join(bbs, "new"), "x")
	r.kill9()
	r.start()
	out, _, _ := r.cli("status")
	contains(t, out, "www/web  paused", "disk", "for another 59m")
	r.waitFor("a pause for a time to end", 30*time.Second, func() bool { return strings.Contains(states(), "bbs/web in_sync") })
	if time.Now().Before(until) {
		t.Error("the pause ended too early")
	}
	if _, err := os.Stat(filepath.Join(targets["bbs/web"], "new")); err != nil {
		t.Error(err)
	}
	if s := states(); strings.Count(s, "paused") != 3 {
		t.Errorf("the others are still paused, but: %s", s)
	}
	for _, wrong := range []string{"x/*", "[", "www/nas/x", "*"} {
		if _, _, code := r.cli("resume", wrong); (code == 64) == (wrong == "*") {
			t.Errorf("resume %q: exit %d", wrong, code)
		}
	}
	act("www/nas www/web bbs/nas bbs/web", "resume", "*/*")
	r.flush(30 * time.Second)

	// Held by the guard, and approved.
	must(t, os.RemoveAll(filepath.Join(www, "d")))
	must(t, os.RemoveAll(filepath.Join(bbs, "d")))
	r.waitFor("all to be held", 20*time.Second, func() bool { return strings.Count(states(), " held") == 4 })
	act("www/nas bbs/nas", "approve", "nas")
	r.waitFor("two to go on", 20*time.Second, func() bool { return strings.Count(states(), " held") == 2 })
	act("www/nas www/web", "approve", "www")
	act("bbs/web", "approve", "bbs/web")
	r.flush(30 * time.Second)

	// Failing, and tried again although the next attempt is an hour away.
	stones := []string{filepath.Join(targets["www/nas"], "stays"), filepath.Join(targets["www/web"], "stays")}
	for _, stone := range stones {
		run(t, "chattr", "+i", stone)
		t.Cleanup(func() { _ = exec.Command("chattr", "-i", stone).Run() })
	}
	write(t, filepath.Join(www, "stays"), "changed")
	r.waitFor("two to fail", 20*time.Second, func() bool {
		doc := r.status()
		return doc.remote(t, "www/nas").Failing == 1 && doc.remote(t, "www/web").Failing == 1
	})
	for _, stone := range stones {
		run(t, "chattr", "-i", stone)
	}
	act("www/web bbs/web", "retry", "*/web")
	r.flush(20*time.Second, "--remote", "www/web")
	if n := r.status().remote(t, "www/nas").Failing; n != 1 {
		t.Errorf("%d paths failing on a remote that was not to be tried", n)
	}
	act("www/nas www/web", "retry", filepath.Join(www, "stays"))
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, www, targets["www/nas"], time.Second)
	testbed.WaitEqual(t, bbs, targets["bbs/web"], time.Second)
}
