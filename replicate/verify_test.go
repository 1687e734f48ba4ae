package replicate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// verified is what a verify told.
type verified struct {
	res   VerifyResult
	err   error
	diffs map[string]Difference
	twice []string
}

func (g *rig) verify(r VerifyRequest) verified {
	g.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	v := verified{diffs: map[string]Difference{}}
	v.res, v.err = g.d.Verify(ctx, r, VerifyObserver{Difference: func(f Difference) {
		if _, known := v.diffs[f.Path]; known {
			v.twice = append(v.twice, f.Path)
		}
		v.diffs[f.Path] = f
	}})
	if len(v.twice) > 0 {
		g.tb.Errorf("told twice: %q", v.twice)
	}
	return v
}

// expect compares what was told with "path: kind kind", allowed ones with "~".
func (v verified) expect(tb testing.TB, want ...string) {
	tb.Helper()
	var got []string
	for _, f := range v.diffs {
		line := f.Path + ":"
		if f.Allowed {
			line = "~" + line
		}
		for _, k := range f.Kinds {
			line += " " + string(k)
		}
		if f.Below > 0 {
			line += fmt.Sprintf(" (%d)", f.Below)
		}
		got = append(got, line)
	}
	slices.Sort(got)
	slices.Sort(want)
	if v.err != nil || !slices.Equal(got, want) {
		tb.Fatalf("%v; told\n\t%s\nwant\n\t%s", v.err, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func try(tb testing.TB, errs ...error) {
	tb.Helper()
	if err := errors.Join(errs...); err != nil {
		tb.Fatal(err)
	}
}

// keepTime restores the times of a path after fn.
func keepTime(tb testing.TB, path string, fn func()) {
	tb.Helper()
	fi, err := os.Lstat(path)
	try(tb, err)
	fn()
	try(tb, os.Chtimes(path, fi.ModTime(), fi.ModTime()))
}

// tamper changes a remote in every way there is and returns what a verify has to
// tell, without and with contents compared.
func tamper(tb testing.TB, dst string) (quick, content []string) {
	tb.Helper()
	at := func(p string) string { return filepath.Join(dst, p) }
	keepTime(tb, at("a"), func() {
		keepTime(tb, at("a/same"), func() { try(tb, os.WriteFile(at("a/same"), []byte("EMAS"), 0o644)) })
		try(tb, os.WriteFile(at("a/size"), []byte("longer"), 0o644), os.Chmod(at("a/mode"), 0o600), os.Remove(at("a/gone")),
			os.Remove(at("a/link")), os.Symlink("elsewhere", at("a/link")))
	})
	keepTime(tb, at("a/size"), func() {})
	try(tb, os.Lchown(at("a/owner"), 12, 34))
	// A hard link that is none any more, with all else equal.
	keepTime(tb, at("b"), func() {
		fi, err := os.Lstat(at("b/hard"))
		try(tb, err, os.Remove(at("b/hard")), os.WriteFile(at("b/hard"), []byte("hard"), 0o644),
			os.Chtimes(at("b/hard"), fi.ModTime(), fi.ModTime()))
	})
	keepTime(tb, at("c"), func() {
		try(tb, os.RemoveAll(at("c/tree")), os.WriteFile(at("c/.f.aB3xY9"), []byte("x"), 0o644), os.Mkdir(at("c/"+partialDir), 0o755),
			os.WriteFile(at("c/"+partialDir+"/f"), []byte("x"), 0o644), os.MkdirAll(at("c/new/deep"), 0o755),
			os.WriteFile(at("c/new/deep/er"), []byte("x"), 0o644))
	})
	keepTime(tb, at("d"), func() {
		try(tb, os.Remove(at("d/file")), os.MkdirAll(at("d/file/in/it"), 0o755), os.RemoveAll(at("d/dir")),
			os.WriteFile(at("d/dir"), []byte("x"), 0o644))
	})
	try(tb, os.Chtimes(at("e"), time.Unix(1, 0), time.Unix(1, 0)))
	quick = []string{"a/size: size time", "a/mode: mode", "a/gone: missing", "a/link: link_target time", "a/owner: owner",
		"b/hard: hard_link", "c/tree: missing", "c/tree/sub: missing", "c/tree/sub/f: missing",
		"d/file: in_the_way (2)", "d/dir: missing", "d/dir/f: missing", "e: time"}
	content = append(slices.Clone(quick[1:]), "a/same: content", "a/size: content size time")
	return quick, content
}

func tamperable(tb testing.TB, src string) {
	tb.Helper()
	write(tb, src, map[string]string{"a/same": "same", "a/size": "size", "a/mode": "mode", "a/gone": "gone", "a/owner": "o", "a/hard": "hard",
		"b/x": "x", "c/tree/sub/f": "f", "c/f": "f", "d/file": "f", "d/dir/f": "f", "e/f": "f", "top": "t"})
	try(tb, os.Mkdir(src+"/b2", 0o755), os.Link(src+"/a/hard", src+"/b/hard"), os.Link(src+"/a/hard", src+"/a/hard2"), os.Symlink("target", src+"/a/link"))
}

// TestVerifyFindsWhatDiffers: each difference in its kind, nothing else, and
// nothing is changed; a repair heals all of them.
func TestVerifyFindsWhatDiffers(t *testing.T) {
	for name, mode := range map[string]DeleteMode{"tracked": DeleteTracked, "all": DeleteAll, "none": DeleteNone} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, func(g *rig) { g.o.Delete = mode })
			tamperable(t, g.src)
			g.start().sync()
			g.equal()
			g.verify(VerifyRequest{Checksum: true}).expect(t)

			quick, content := tamper(t, g.dst)
			if mode == DeleteNone { // then rsync does not say how many are in it
				swap := func(l []string) []string {
					return append(slices.DeleteFunc(l, func(s string) bool { return strings.HasPrefix(s, "d/file:") }), "d/file: in_the_way")
				}
				quick, content = swap(quick), swap(content)
			}
			extra := []string{"c/.f.aB3xY9: leftover", "c/" + partialDir + ": leftover (1)", "c/new: extra (2)"}
			if mode != DeleteAll {
				extra = []string{"~c/.f.aB3xY9: leftover", "~c/" + partialDir + ": leftover (1)", "~c/new: stranger (2)"}
			}
			before, err := testbed.Snapshot(g.dst, testbed.Options{})
			try(t, err)
			g.verify(VerifyRequest{}).expect(t, slices.Concat(quick, extra)...)
			v := g.verify(VerifyRequest{Checksum: true})
			v.expect(t, slices.Concat(content, extra)...)
			after, err := testbed.Snapshot(g.dst, testbed.Options{})
			try(t, err)
			if d := testbed.Diff(before, after); len(d) > 0 {
				t.Fatalf("a verify changed the remote: %q", d)
			}
			g.counted(v.res, mode, len(content))
			if st := g.d.Status(); st.State != StateFailing || st.Error == nil || st.Error.ID != idDiverged || st.Verify.Unrepaired != v.res.Differences {
				t.Fatalf("status %+v, error %+v, verify %+v", st.State, st.Error, st.Verify)
			}
			if mode == DeleteNone {
				return
			}
			g.verify(VerifyRequest{Checksum: true, Repair: true}).expect(t, slices.Concat(content, extra)...)
			g.wait(g.j.Head())
			g.healed(mode)
		})
	}
}

// counted checks the figures of a result.
func (g *rig) counted(res VerifyResult, mode DeleteMode, differences int) {
	g.tb.Helper()
	snap, err := testbed.Snapshot(g.src, testbed.Options{})
	try(g.tb, err)
	dirs := 0
	for _, n := range snap {
		if n.Type == "dir" {
			dirs++
		}
	}
	strangers, leftovers := uint64(1), uint64(2)
	if mode == DeleteAll {
		differences, strangers, leftovers = differences+3, 0, 0
	}
	if !res.Complete || res.Dirs != uint64(dirs) || res.Paths != uint64(len(snap)) || res.Differences != uint64(differences) ||
		res.Strangers != strangers || res.Leftovers != leftovers || res.Pending+res.Failing+res.Unread+res.Repaired != 0 {
		g.tb.Errorf("%d directories, %d paths; counted %+v", dirs, len(snap), res)
	}
	if res.Kinds[DiffMissing] != 6 || res.Kinds[DiffTime] != 3 || res.Kinds[DiffHardLink] != 1 {
		g.tb.Errorf("kinds %v", res.Kinds)
	}
}

// healed checks a remote that was repaired: equal but for what may stay.
func (g *rig) healed(mode DeleteMode) {
	g.tb.Helper()
	var o testbed.Options
	if mode == DeleteTracked {
		o.Skip = func(p string) bool { return p == "c/new" || p == "c/.f.aB3xY9" || p == "c/"+partialDir }
	}
	diff, err := testbed.DiffTrees(g.src, g.dst, o)
	if err != nil || len(diff) > 0 {
		g.tb.Fatalf("after the repair: %v %q", err, diff)
	}
	if v := g.verify(VerifyRequest{Checksum: true}); v.err != nil || v.res.Differences != 0 {
		g.tb.Fatalf("after the repair: %v %+v", v.err, v.diffs)
	}
	if st := g.d.Status(); st.Error != nil || st.Verify.Unrepaired != 0 {
		g.tb.Fatalf("after the repair: %+v %+v", st.Error, st.Verify)
	}
}
