package journal

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func dirs(t testing.TB, s *Source) []string {
	t.Helper()
	list, _, err := s.Dirs("", false, Weight{1 << 30, 1 << 30, 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// children marks names that are not trusted with "?".
func children(t testing.TB, s *Source, dir string) []string {
	t.Helper()
	var list []string
	err := s.Children(dir, func(name string, r Record, trusted bool) error {
		if !trusted {
			name += "?"
		}
		list = append(list, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestChildrenJumpOverSubtrees(t *testing.T) {
	s := source(t, openTest(t))
	record(t, s, dir("", 1), dir("a", 2), file("a/\x01", 3, 0), dir("a/b", 4), file("a/b/c", 5, 0), file("a/b!", 6, 0),
		file("a\x01", 7, 0), file("a!", 8, 0), file("\x01", 9, 0), file("b", 10, 0), file("a/b\xff", 11, 0), file("z", 12, 0), gone("z"))
	equal(t, "root", children(t, s, ""), []string{"\x01", "a", "a\x01", "a!", "b"})
	equal(t, "a", children(t, s, "a"), []string{"\x01", "b", "b!", "b\xff"})
	equal(t, "a/b", children(t, s, "a/b"), []string{"c"})
	equal(t, "none", children(t, s, "nope"), nil)
	stop := errors.New("stop")
	if err := s.Children("a", func(string, Record, bool) error { return stop }); err != stop {
		t.Error(err)
	}
}

func TestChildrenOfLargeDirectory(t *testing.T) {
	s := source(t, openTest(t))
	obs := []Observation{dir("", 1), dir("d", 2), dir("e", 3)}
	var want []string
	for i := range 2*pageSize + 1 {
		name := fmt.Sprintf("%05d", i)
		want = append(want, name)
		if i%100 == 99 { // pages must not end in a subtree
			obs = append(obs, dir("d/"+name, uint64(i+10)), file("d/"+name+"/f", uint64(i+90000), 0))
			continue
		}
		obs = append(obs, file("d/"+name, uint64(i+10), 0))
	}
	record(t, s, obs...)
	equal(t, "children", children(t, s, "d"), want)
}

func TestChildrenMayRecord(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	err := s.Children("d", func(name string, _ Record, _ bool) error {
		record(t, s, gone("d/"+name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "children", children(t, s, "d"), nil)
}

func TestDirsInPages(t *testing.T) {
	s := source(t, openTest(t))
	record(t, s, dir("", 1), dir("a", 2), dir("a/b", 3), dir("a!", 4), file("f", 5, 0), dir("c", 6), dir("c/d", 7), dir("z", 8),
		dir("t", 9), dir("t/u", 10), gone("t"), dir("v", 11), dir("v/w", 12), dir("v", 13), file("c/d/g", 14, 0))
	want := []string{"", "a", "a/b", "a!", "c", "c/d", "v", "z"} // v/w is stale
	equal(t, "dirs", dirs(t, s), want)
	for limit := uint64(1); limit < 4; limit++ {
		var got []string
		for after, begun := "", false; ; begun = true {
			page, _, err := s.Dirs(after, begun, Weight{limit, 1 << 30, 1 << 40})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			got, after = append(got, page...), page[len(page)-1]
		}
		equal(t, fmt.Sprintf("pages of %d", limit), got, want)
	}
	for sub, n := range map[string]uint64{"": 8, "a": 2, "a/b": 1, "c": 2, "t": 0, "v": 1, "v/w": 0, "f": 0, "nope": 0} {
		got, err := s.Weigh(sub, "", false)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "directories of "+sub, got.Dirs, n)
	}
	page, _, err := s.Dirs("b-never-there", true, Weight{2, 1 << 30, 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "after a path that is gone", page, []string{"c", "c/d"})
}

func TestRootGone(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	tree(t, s)
	record(t, s, gone(""))
	equal(t, "dirs", dirs(t, s), nil)
	equal(t, "children", children(t, s, ""), []string{"d?"})
	e, _, err := s.Latest("")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "count", e.Count, 4)
	maintain(t, j)
	equal(t, "index", s.header().Index, 0)
}

func TestEntriesFromTheMiddle(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	record(t, s, file("d/x", 3, 1)) // 3 is superseded by 5
	for _, c := range []struct {
		from  uint64
		limit int
		want  []uint64
	}{{0, 10, []uint64{1, 2, 4, 5}}, {2, 2, []uint64{2, 4}}, {3, 1, []uint64{4}}, {5, 10, []uint64{5}}, {6, 10, nil}, {1, 0, nil}} {
		list, err := s.Entries(c.from, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, e := range list {
			got = append(got, e.Seq)
		}
		equal(t, fmt.Sprint(c), got, c.want)
	}
}

func TestChangedIsClosedByAnEntry(t *testing.T) {
	s := source(t, openTest(t))
	record(t, s, dir("", 1))
	ch := s.Changed()
	record(t, s, dir("", 1)) // no difference
	select {
	case <-ch:
		t.Error("closed without an entry")
	default:
	}
	record(t, s, file("f", 2, 0))
	select {
	case <-ch:
	default:
		t.Error("not closed")
	}
}

func TestHardLinks(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	link := func(path string, ino uint64, n uint32) Observation {
		return with(file(path, ino, 0), func(o *Observation) { o.State.Nlink = n })
	}
	record(t, s, dir("", 1), dir("d", 2), dir("e", 3), link("d/a", 10, 3), link("d.b", 10, 3), link("e/c", 10, 3), link("lone", 11, 2), link("x", 12, 2), link("y", 12, 2))
	siblings := func(ino uint64) []string {
		list, err := s.Siblings(0, ino)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	groups := func() [][]string {
		var all [][]string
		if err := s.LinkGroups(func(p []string) error { all = append(all, slices.Clone(p)); return nil }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	equal(t, "siblings", siblings(10), []string{"d.b", "d/a", "e/c"})
	equal(t, "none", siblings(99), nil)
	equal(t, "groups", groups(), [][]string{{"d.b", "d/a", "e/c"}, {"x", "y"}})
	record(t, s, gone("e"), gone("x"), link("y", 12, 1), link("d.b", 13, 3))
	equal(t, "siblings", siblings(10), []string{"d/a"})
	equal(t, "moved", siblings(13), []string{"d.b"})
	equal(t, "groups", groups(), nil)
	maintain(t, j)
	equal(t, "swept", siblings(10), []string{"d/a"})
}

func TestUnknownAgreesWithLookup(t *testing.T) {
	s := source(t, openTest(t))
	record(t, s, dir("", 1), dir("a", 2), file("a/f", 3, 0), dir("a/b", 4), file("a/b/c", 5, 0), dir("gone", 6), file("gone/f", 7, 0),
		gone("gone"), dir("back", 8), file("back/old", 9, 0))
	record(t, s, gone("back"))
	record(t, s, dir("back", 10)) // what was below it does not count until it is seen again
	all := []string{"", "a", "a/f", "a/b", "a/b/c", "a/none", "gone", "gone/f", "back", "back/old", "never/was"}
	var want []string
	for _, p := range all {
		if _, known, err := s.Lookup(p); err != nil {
			t.Fatal(err)
		} else if !known {
			want = append(want, p)
		}
	}
	got, err := s.Unknown(all)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "unknown", got, want)
	equal(t, "unknown", got, []string{"a/none", "gone", "gone/f", "back/old", "never/was"})
}

func TestWeights(t *testing.T) {
	s := source(t, openTest(t))
	size := func(o Observation, n int64) Observation { o.State.Size = n; return o }
	record(t, s, dir("", 1), dir("a", 2), size(file("a/f", 3, 0), 30), dir("a/s", 4), size(file("a/s/g", 5, 0), 500), size(file("a/z", 6, 0), 7),
		dir("b", 8), size(file("b/h", 9, 0), 1000), dir("gone", 10), size(file("gone/x", 11, 0), 1), gone("gone"))
	all, err := s.Weigh("", "", false)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "all", all, Weight{4, 4, 1537})
	behind, err := s.Weigh("", "a", true)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "behind a", behind, Weight{2, 4, 1537}) // its file comes behind it
	sub, err := s.Weigh("a", "", false)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "a", sub, Weight{2, 3, 537})
	for _, c := range []struct {
		limit Weight
		want  []string
		w     Weight
	}{
		{Weight{Dirs: 2, Files: 100, Bytes: 1 << 40}, []string{"", "a"}, Weight{2, 1, 30}},
		{Weight{Dirs: 100, Files: 1, Bytes: 1 << 40}, []string{"", "a"}, Weight{2, 1, 30}},
		{Weight{Dirs: 100, Files: 100, Bytes: 400}, []string{"", "a", "a/s"}, Weight{3, 3, 537}},
		{Weight{}, []string{""}, Weight{Dirs: 1}},
	} {
		got, w, err := s.Dirs("", false, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprint(c.limit), got, c.want)
		equal(t, fmt.Sprint(c.limit), w, c.w)
	}
	equal(t, "difference", Weight{1, 2, 3}.Sub(Weight{2, 1, 1}), Weight{0, 1, 2})
}
