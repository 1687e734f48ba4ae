package replicate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorsyncd/bench/testbed"
	"gorsyncd/journal"
)

// abortingDaemon replicates to an rsync that gives up at removals.
func abortingDaemon(g *rig) {
	d := testbed.RunRsyncd(g.tb.(*testing.T), testbed.Module{Name: "m", Path: g.dst})
	d.Stop()
	d.Binary = testbed.OldRsync(g.tb)
	if err := d.Start(); err != nil {
		g.tb.Fatal(err)
	}
	g.to(d.Target("m"))
}

// TestGentleRemovals: with a receiver that aborts removals all kinds of names
// go, with all below them, and nothing else does.
func TestGentleRemovals(t *testing.T) {
	g := newRig(t, abortingDaemon)
	files := map[string]string{"keep/me": "1", "a/star": "1", "a/st*r2": "1", "a/deep/er/x": "1", "a/bs": "1"}
	var gone []string
	for _, name := range append(slices.Clone(testbed.OddNames), "st*r", `b\s`, `b\*s`, "[x]", "?", "***") {
		for _, dir := range []string{"", "a/", "a/deep/er/", "odd[*?\\]/", "dot./"} {
			tree := dir + name[1:] + "1"
			files[tree+"/below/f"], files[dir+name] = "1", "1"
			gone = append(gone, dir+name, tree)
		}
	}
	write(t, g.src, files)
	g.start()
	g.sync()
	g.equal()
	strangers := map[string]string{"stranger": "1", "a/stranger": "1", "a/deep/stranger/x": "1", "a/st*r": "1", "a/ster": "1", "odd[*?\\]/stranger": "1", "a/b*s": "1"}
	for name := range strangers { // what looks like one of the removed
		if _, ok := files[name]; ok {
			delete(strangers, name)
		}
	}
	write(t, g.dst, strangers)
	for _, name := range gone {
		if err := os.RemoveAll(filepath.Join(g.src, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, g.src, map[string]string{"a/new": "1", "top": "1", "a/deep/new": "1"})
	g.sync()
	if ids := statusIDs(g.d.Status()); !strings.Contains(ids, idAborts) {
		t.Errorf("findings %q: the removals went the usual way", ids)
	}
	for name := range strangers {
		if _, err := os.Lstat(filepath.Join(g.dst, name)); err != nil {
			t.Errorf("a stranger is gone: %v", err)
		}
		if err := os.RemoveAll(filepath.Join(g.dst, name)); err != nil {
			t.Fatal(err)
		}
	}
	os.RemoveAll(filepath.Join(g.dst, "a/deep/stranger"))
	diff, err := testbed.DiffTrees(g.src, g.dst, testbed.Options{})
	for _, d := range diff {
		// Taking the strangers away has changed the times of their directories.
		if strings.Contains(d, "is missing") || strings.Contains(d, "is extra") {
			t.Error(d)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// TestGentleCovered: what is known to be gone below a directory that is gone as
// well goes alone; a stranger beside it stays, and is no failure.
func TestGentleCovered(t *testing.T) {
	g := newRig(t, abortingDaemon)
	write(t, g.src, map[string]string{"a/f": "1", "b/c/f": "1"})
	g.r.state.Probe = journal.Probe{Findings: []journal.Finding{{ID: idAborts}}, Of: g.o.Target.String() + "\n"}
	g.start()
	g.sync()
	write(t, g.dst, map[string]string{"a/gone/x/y": "1", "a/gone/x/z": "1", "top/x": "1", "b/c2/d/e": "1"})
	g.j.remove("a/gone/x/y", 1)
	g.j.remove("b/c2/d", 1)
	g.wait(g.j.remove("top/x", 1))
	for _, path := range []string{"a/gone/x/y", "top/x", "b/c2/d"} {
		if _, err := os.Lstat(filepath.Join(g.dst, path)); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	if _, err := os.Lstat(filepath.Join(g.dst, "a/gone/x/z")); err != nil {
		t.Errorf("a stranger is gone: %v", err)
	}
	if st := g.d.Status(); st.Failing != 0 || st.Retries != 0 {
		t.Errorf("status %+v", st)
	}
}

// TestGentleFailure: what cannot be removed is found by the verify pass.
func TestGentleFailure(t *testing.T) {
	g := newRig(t, abortingDaemon)
	write(t, g.src, map[string]string{"a/f": "1", "a/stone": "1", "a/d/x": "1"})
	g.start()
	g.sync()
	immutable(t, filepath.Join(g.dst, "a/stone"))
	for _, name := range []string{"a/stone", "a/d"} {
		if err := os.RemoveAll(filepath.Join(g.src, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, g.src, map[string]string{"a/g": "1"})
	g.j.scan(t, false)
	g.until("one path fails alone", func() bool {
		rec, ok := g.r.retry("a/stone")
		return ok && rec.Attempts > 1 && g.d.Status().Failing == 1
	})
	for name, there := range map[string]bool{"a/g": true, "a/d": false} {
		if _, err := os.Lstat(filepath.Join(g.dst, name)); (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGentleRules: rules are bounded in number and length; rsync drops what is
// too long without a word.
func TestGentleRules(t *testing.T) {
	var paths []string
	for i := range 3000 {
		paths = append(paths, "a/"+strings.Repeat("x", 100)+string(rune('a'+i%26))+strings.Repeat("y", i%150))
	}
	long := strings.Repeat("d/", 1000) + strings.Repeat("*", 1200)
	paths = slices.Compact(append(paths, long))
	seen := map[string]bool{}
	var tooLong []string
	runs := gentleRuns(paths, func(string) string { return "a" })
	for _, r := range runs {
		if r.bytes > maxRules+maxRule || len(r.rules) == 0 || r.rules[len(r.rules)-1] != "--filter=- *" || string(r.list) != "./a/\x00" && len(r.list) > 0 {
			t.Errorf("%d bytes, %d rules, list %q", r.bytes, len(r.rules), r.list)
		}
		for p := range r.removed {
			seen[p] = true
		}
		tooLong = append(tooLong, r.tooLong...)
	}
	for _, p := range paths[:len(paths)-1] {
		if !seen[p] {
			t.Fatalf("%q is forgotten", p)
		}
	}
	if len(runs) < 2 || !slices.Equal(tooLong, []string{long}) {
		t.Errorf("%d runs, too long: %d", len(runs), len(tooLong))
	}
}
