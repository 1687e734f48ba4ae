package journal

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// ms shifts a time stamp of an observation relative to the moment it was made.
const ms = int64(1e6)

func renewed(o Observation) Observation {
	o.Renewed = true
	return o
}

func racy(o Observation) Observation {
	o.State.Ctime = o.At - 5*ms
	return o
}

// TestRecordDifference is the table of what counts as a difference between
// the record left by the first observation and a second one.
func TestRecordDifference(t *testing.T) {
	old := file("f", 9, 0)
	later := func(o Observation) Observation { o.At += 10 * second; return o }
	state := func(change func(*State)) Observation {
		o := later(old)
		change(&o.State)
		return o
	}
	unwritten := func(change func(*State)) Observation {
		o := state(change)
		o.Unwritten = true
		return o
	}
	link := with(old, func(o *Observation) { o.State.Type, o.State.Size = Symlink, 4 })
	for name, c := range map[string]struct {
		first, second Observation
		want          string // "" none, else op, flag and result marks
	}{
		"equal":                   {old, later(old), ""},
		"size":                    {old, state(func(s *State) { s.Size++; s.Ctime += second }), "change"},
		"mtime forward":           {old, state(func(s *State) { s.Mtime += second; s.Ctime += second }), "change"},
		"mtime set back":          {old, state(func(s *State) { s.Mtime -= second; s.Ctime += second }), "change checksum"},
		"mtime back, other size":  {old, state(func(s *State) { s.Mtime -= second; s.Ctime += second; s.Size++ }), "change checksum"},
		"ctime alone":             {old, state(func(s *State) { s.Ctime += second }), "change checksum"},
		"mode":                    {old, state(func(s *State) { s.Ctime += second; s.Mode = 0o600 }), "change checksum"},
		"owner":                   {old, state(func(s *State) { s.Ctime += second; s.UID = 7 }), "change checksum"},
		"group":                   {old, state(func(s *State) { s.Ctime += second; s.GID = 7 }), "change checksum"},
		"link count":              {old, state(func(s *State) { s.Ctime += second; s.Nlink = 2 }), "change checksum"},
		"mode, no write":          {old, unwritten(func(s *State) { s.Ctime += second; s.Mode = 0o600 }), "change"},
		"owner, no write":         {old, unwritten(func(s *State) { s.Ctime += second; s.UID = 7 }), "change"},
		"group, no write":         {old, unwritten(func(s *State) { s.Ctime += second; s.GID = 7 }), "change"},
		"link count, no write":    {old, unwritten(func(s *State) { s.Ctime += second; s.Nlink = 2 }), "change"},
		"ctime alone, no write":   {old, unwritten(func(s *State) { s.Ctime += second }), "change checksum"},
		"another inode, no write": {old, unwritten(func(s *State) { s.Ino++; s.Mode = 0o600 }), "change checksum"},
		"suspect":                 {old, with(later(old), func(o *Observation) { o.Suspect = old.At + 1 }), "change checksum"},
		"suspect before":          {old, with(later(old), func(o *Observation) { o.Suspect = old.At }), ""},
		"suspect symlink":         {link, with(later(link), func(o *Observation) { o.Suspect = old.At + 1 }), ""},
		"inode":                   {old, state(func(s *State) { s.Ino++ }), "change checksum"},
		"device":                  {old, state(func(s *State) { s.Dev++ }), "change checksum"},
		"type":                    {old, state(func(s *State) { s.Type = Symlink }), "change"},
		"gone":                    {old, gone("f"), "remove"},
		"gone twice":              {gone("f"), gone("f"), ""},
		"racy equal":              {racy(old), later(racy(old)), "change checksum"},
		"racy confirmed":          {racy(old), with(later(racy(old)), func(o *Observation) { o.Confirm = true }), ""},
		"racy confirmed early":    {racy(old), with(racy(old), func(o *Observation) { o.Confirm = true; o.At += ms }), "racy"},
		"racy confirm differs":    {racy(old), with(later(racy(old)), func(o *Observation) { o.Confirm = true; o.State.Size++ }), "change"},
		"racy chmod":              {racy(old), with(later(racy(old)), func(o *Observation) { o.State.Mode = 0o600; o.State.Ctime += second }), "change checksum"},
		"future mtime": {with(old, func(o *Observation) { o.State.Mtime = o.At + 1000*second }),
			with(old, func(o *Observation) { o.State.Mtime = o.At + 1000*second; o.At += second }), ""},
		"future ctime": {with(old, func(o *Observation) { o.State.Ctime = o.At + 1000*second }),
			with(old, func(o *Observation) { o.State.Ctime = o.At + 1000*second; o.At += second }), "change checksum racy"},
		"symlink racy":          {racy(link), later(racy(link)), "change"},
		"directory equal":       {dir("f", 5), later(dir("f", 5)), ""},
		"directory mtime":       {dir("f", 5), with(dir("f", 5), func(o *Observation) { o.State.Mtime += ms }), "change"},
		"directory size":        {dir("f", 5), with(dir("f", 5), func(o *Observation) { o.State.Size, o.State.Nlink = 4096, 7 }), ""},
		"directory inode":       {dir("f", 5), dir("f", 6), "change descend"},
		"directory to file":     {dir("f", 5), old, "change checksum"},
		"directory to new file": {dir("f", 5), file("f", 9, 4), "change"},
		"file to directory":     {old, dir("f", 5), "change descend"},
		"gone again, renewed":   {gone("f"), renewed(gone("f")), ""},
		"directory renewed":     {dir("f", 5), renewed(dir("f", 5)), "change descend"},
		"file renewed":          {old, renewed(later(old)), ""},
		"new again":             {gone("f"), old, "change"},
		"new directory":         {gone("f"), dir("f", 5), "change descend"},
		"baseline":              {gone("f"), with(old, func(o *Observation) { o.Baseline = true }), ""},
		"baseline directory":    {gone("f"), with(dir("f", 5), func(o *Observation) { o.Baseline = true }), "descend"},
		"baseline over other":   {old, with(file("f", 9, 4), func(o *Observation) { o.Baseline = true }), "change"},
		"baseline gone":         {old, with(gone("f"), func(o *Observation) { o.Baseline = true }), "remove"},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(t, openTest(t))
			record(t, s, dir("", 1), c.first)
			head := s.Head()
			res := record(t, s, c.second)[0]
			equal(t, "outcome", outcome(t, s, head, res), c.want)
		})
	}
}

// outcome puts result and entry into words.
func outcome(t *testing.T, s *Source, head uint64, res Result) string {
	var words []string
	if res.Seq != 0 {
		equal(t, "seq", res.Seq, head+1)
		list := entries(t, s)
		e := list[len(list)-1]
		words = append(words, map[Op]string{OpChange: "change", OpRemove: "remove"}[e.Op])
		if e.Flags&FlagChecksum != 0 {
			words = append(words, "checksum")
		}
	}
	equal(t, "head", s.Head() > head, res.Seq != 0)
	if res.Racy {
		words = append(words, "racy")
	}
	if res.Descend {
		words = append(words, "descend")
	}
	return strings.Join(words, " ")
}

func TestConfirmedIsTrustedLater(t *testing.T) {
	s := source(t, openTest(t))
	o := racy(file("f", 2, 0))
	record(t, s, dir("", 1), o)
	o.At += second
	record(t, s, with(o, func(o *Observation) { o.Confirm = true }))
	o.At += second
	equal(t, "result", record(t, s, o)[0], Result{})
}

func TestCompactionKeepsNewestOfEachPath(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	for v := int64(1); v < 5; v++ {
		record(t, s, file("d/x", 3, v), file("d/y", 4, v), file("d/x", 3, v+100))
	}
	var got []string
	for _, e := range entries(t, s) {
		got = append(got, fmt.Sprint(e.Seq, " ", e.Path))
	}
	equal(t, "entries", got, []string{"1 ", "2 d", "15 d/y", "16 d/x"})
}

// An entry says since when a remote that has not read the older ones is behind,
// and forgets it once every remote had them.
func TestEntryStandsForOlderOnes(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	fast, slow := remote(t, s, "fast"), remote(t, s, "slow")
	last := func() Entry {
		list := entries(t, s)
		return list[len(list)-1]
	}
	record(t, s, file("d/x", 3, 1))
	first := last()
	equal(t, "new", []uint64{first.Seq, first.First}, []uint64{5, 5})
	done := func(r *Remote, low uint64) {
		t.Helper()
		if err := r.Commit(context.Background(), Update{Cursor: &Cursor{Low: low}}); err != nil {
			t.Fatal(err)
		}
	}
	done(fast, 5)
	record(t, s, file("d/x", 3, 2))
	second := last()
	equal(t, "slow has not read it", []uint64{second.Seq, second.First}, []uint64{6, 5})
	equal(t, "since", second.FirstTime.Equal(first.Time), true)
	done(fast, 6)
	done(slow, 6)
	record(t, s, file("d/x", 3, 3))
	equal(t, "all have read it", []uint64{last().Seq, last().First}, []uint64{7, 7})
}

func TestChecksumSurvivesCompaction(t *testing.T) {
	s := source(t, openTest(t))
	f := file("f", 2, 0)
	record(t, s, dir("", 1), f)
	f.State.Ctime += second // content may have changed
	record(t, s, f)
	f.State.Ctime += second
	f.State.Mode = 0o600 // nothing that needs content
	record(t, s, f)
	list := entries(t, s)
	equal(t, "flags", list[len(list)-1].Flags, FlagChecksum)
}

// A file that comes back with the size and mtime it had may be another one,
// and the remotes may not have seen it go.
func TestRemovedAndRestoredNeedsChecksum(t *testing.T) {
	s := source(t, openTest(t))
	f := file("f", 2, 0)
	record(t, s, dir("", 1), f, gone("f"))
	f.State.Ino, f.State.Ctime, f.At = 3, base+200*second, base+201*second
	record(t, s, f)
	list := entries(t, s)
	equal(t, "flags", list[len(list)-1].Flags, FlagChecksum)
	record(t, s, gone("f"))
	f.State.Mtime, f.State.Ctime, f.At = base+300*second, base+300*second, base+301*second
	record(t, s, f)
	list = entries(t, s)
	equal(t, "flags of a new file", list[len(list)-1].Flags, 0)
}

func TestRemovedDirectory(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	record(t, s, dir("d/e", 5), file("d/e/z", 6, 0), gone("d/y"), file("dx", 7, 0))
	head := s.Head()
	res := record(t, s, gone("d"), gone("d/x"), gone("d/e/z"), gone("d/e"))
	equal(t, "results", res, []Result{{Seq: head + 1}, {}, {}, {}})
	e, ok, err := s.Latest("d")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	equal(t, "count", e.Count, 4) // d, d/x, d/e, d/e/z; d/y has its own entry
	for _, p := range []string{"d", "d/x", "d/e", "d/e/z", "d/y"} {
		if _, ok, err := s.Lookup(p); ok || err != nil {
			t.Errorf("%s: live %v, %v", p, ok, err)
		}
	}
	equal(t, "dirs", dirs(t, s), []string{""})
	equal(t, "root", children(t, s, ""), []string{"dx"})
}

// The count must see what the same call has changed before.
func TestRemoveCountsOwnChanges(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	res := record(t, s, file("d/a", 10, 0), dir("d/e", 11), file("d/e/b", 12, 0), gone("d/x"), dir("d/f", 13), file("d/f/c", 14, 0), gone("d/f"), gone("d"))
	e, _, err := s.Latest("d")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "seq", e.Seq, res[7].Seq)
	equal(t, "count", e.Count, 5) // d, d/a, d/e, d/e/b, d/y
}

func TestRecreatedDirectory(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	record(t, s, gone("d"))
	back := record(t, s, dir("d", 2))[0]
	equal(t, "descend", back.Descend, true)
	equal(t, "children", children(t, s, "d"), []string{"x?", "y?"})
	// Unchanged, and yet told again: the remotes may have removed it. What
	// did not come back is removed exactly.
	res := record(t, s, file("d/x", 3, 0), gone("d/y"))
	equal(t, "results", res, []Result{{Seq: back.Seq + 1}, {Seq: back.Seq + 2}})
	equal(t, "children", children(t, s, "d"), []string{"x"})
	list := entries(t, s)
	equal(t, "op", list[len(list)-1].Op, OpRemove)
	equal(t, "equal again", record(t, s, file("d/x", 3, 0), gone("d/y")), []Result{{}, {}})
}

// A path may come back for a moment, be read by a remote that is about to
// remove it, and be gone again before it is observed.
func TestGoneAgainIsTold(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	equal(t, "gone", record(t, s, gone("d"))[0].Seq, 5)
	equal(t, "seen again", record(t, s, gone("d"))[0].Seq, 0)
	equal(t, "gone again", record(t, s, renewed(gone("d")))[0].Seq, 6)
	e, _, err := s.Latest("d")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "count", e.Count, 3)
	equal(t, "never known", record(t, s, renewed(gone("tmp")))[0].Seq, 0)
	r := remote(t, s, "nas") // its full sync may have read what was there
	equal(t, "during a full sync", record(t, s, renewed(gone("tmp")))[0].Seq, 7)
	commit(t, r, Update{EndFullSync: true})
	equal(t, "after it", record(t, s, renewed(gone("tmp2")))[0].Seq, 0)
}

// A directory that was away for a moment may have been removed by a remote
// that looked just then.
func TestDirectoryMovedAwayAndBack(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	res := record(t, s, renewed(dir("d", 2)), file("d/x", 3, 0), gone("d/y"))
	equal(t, "results", res, []Result{{Seq: 5, Descend: true}, {Seq: 6}, {Seq: 7}})
}

func TestRemovedAgainBeforeScanned(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	record(t, s, gone("d"), dir("d", 2), gone("d"))
	e, _, err := s.Latest("d")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "count", e.Count, 3) // the remotes still have d/x and d/y
}

func TestStaleSubdirectoryIsDescended(t *testing.T) {
	s := source(t, openTest(t))
	record(t, s, dir("", 1), dir("d", 2), dir("d/e", 3), file("d/e/f", 4, 0))
	record(t, s, dir("d", 20)) // replaced by another directory
	res := record(t, s, dir("d/e", 3), file("d/e/f", 4, 0))
	if !res[0].Descend || res[0].Seq == 0 || res[1].Seq == 0 {
		t.Errorf("results %+v", res)
	}
}

func TestDirectoryReplacedByFile(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	r := remote(t, s, "nas")
	tree(t, s)
	record(t, s, file("d", 9, 1))
	e, _, err := s.Latest("d")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "count", e.Count, 2)
	record(t, s, file("d", 9, 2)) // a change before the sweep keeps the mark
	e, _, err = s.Latest("d")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "count carried", e.Count, 2)
	equal(t, "gone below", record(t, s, gone("d/x")), []Result{{}})
	maintain(t, j)
	equal(t, "kept for nas", s.header().Index, 4)
	ack(t, r, s.Head())
	maintain(t, j)
	equal(t, "swept", s.header().Index, 2)
	record(t, s, file("d", 9, 3))
	e, _, err = s.Latest("d")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "count after sweep", e.Count, 0)
}

func TestTombstoneReplacedByFile(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	r := remote(t, s, "nas")
	tree(t, s)
	record(t, s, gone("d"), file("d", 9, 1))
	ack(t, r, s.Head())
	maintain(t, j)
	equal(t, "index", s.header().Index, 2)
	equal(t, "root", children(t, s, ""), []string{"d"})
}

// A present path proves its directories present.
func TestAncestorsAreImplied(t *testing.T) {
	s := source(t, openTest(t))
	res := record(t, s, file("a/b/c", 5, 0))
	equal(t, "result", res, []Result{{Seq: 4}})
	equal(t, "dirs", dirs(t, s), []string{"", "a", "a/b"})
	seen := record(t, s, dir("a/b", 4))[0]
	equal(t, "descend", seen.Descend, true)
	record(t, s, gone("a"))
	record(t, s, file("a/b/c", 5, 0))
	if _, ok, err := s.Lookup("a/b/c"); !ok || err != nil {
		t.Error(ok, err)
	}
	list := entries(t, s)
	equal(t, "entries", len(list), 4)
	for _, e := range list {
		equal(t, e.Path, e.Op, OpChange)
	}
}

func TestBaselineHasNoEntries(t *testing.T) {
	s := source(t, openTest(t))
	equal(t, "baseline", s.Baseline(), true)
	base := func(o Observation) Observation { o.Baseline = true; return o }
	record(t, s, base(dir("", 1)), base(dir("d", 2)), base(file("d/x", 3, 0)))
	equal(t, "entries", len(entries(t, s)), 0)
	equal(t, "known", record(t, s, dir("d", 2), file("d/x", 3, 0)), []Result{{}, {}})
	record(t, s, file("d/x", 3, 1))
	if _, ok, err := s.Latest("d"); ok || err != nil {
		t.Error(ok, err)
	}
	equal(t, "entries", len(entries(t, s)), 1)
}

func TestInvalidPaths(t *testing.T) {
	s := source(t, openTest(t))
	for _, p := range []string{"/", "/a", "a/", "a//b", ".", "..", "a/./b", "a/..", "a\x00b", strings.Repeat("x", maxPath+1)} {
		_, err := s.Record(context.Background(), []Observation{file("ok", 1, 0), file(p, 2, 0)})
		if err == nil {
			t.Errorf("%q was accepted", p)
		}
	}
	equal(t, "head", s.Head(), 0)
	for _, p := range []string{"...", "a/.b", "-", "\n", "\xff", strings.Repeat("x", 255), "a/b/c"} {
		record(t, s, file(p, 3, 0))
	}
}

func TestHugeCallIsSplit(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	obs := []Observation{dir("", 1)}
	for i := range 2500 {
		obs = append(obs, file(fmt.Sprintf("%04d", i), uint64(i+2), 0))
	}
	long := strings.Repeat(strings.Repeat("l", 250)+"/", 15) + "f"
	for i := range 300 {
		obs = append(obs, with(file(fmt.Sprint(long, i), uint64(i+9000), 0), func(o *Observation) { o.State.Nlink = 2 }))
	}
	before := j.commits.Load()
	res := record(t, s, obs...)
	if n := j.commits.Load() - before; n < 4 {
		t.Errorf("%d commits", n)
	}
	for i, r := range res[:2501] {
		if r.Seq != uint64(i+1) {
			t.Fatalf("observation %d got seq %d", i, r.Seq)
		}
	}
}

func TestCancelledRecordChangesNothing(t *testing.T) {
	s := source(t, openTest(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Record(ctx, []Observation{dir("", 1)}); err == nil {
		t.Error("no error")
	}
	equal(t, "head", s.Head(), 0)
	equal(t, "seq", record(t, s, dir("", 1))[0].Seq, 1)
}

// A directory where the remotes may have something else is told from one that
// is new or has changed, until they have read it.
func TestTurnedDirectory(t *testing.T) {
	s := source(t, openTest(t))
	flags := func(o Observation) Flag {
		t.Helper()
		equal(t, "seq", record(t, s, o)[0].Seq, s.Head())
		list := entries(t, s)
		return list[len(list)-1].Flags
	}
	record(t, s, dir("", 1))
	d := dir("d", 3)
	later := func(change func(*State)) Observation {
		d.At += second
		change(&d.State)
		return d
	}
	link := with(file("d", 2, 0), func(o *Observation) { o.State.Type = Symlink })
	equal(t, "a link", flags(link), 0)
	equal(t, "a directory in its place", flags(d), FlagTurned)
	equal(t, "changed before it was read", flags(later(func(s *State) { s.Mode = 0o700 })), FlagTurned)
	equal(t, "removed", flags(gone("d")), 0)
	equal(t, "back", flags(later(func(s *State) { s.Ino = 4 })), FlagTurned)
	equal(t, "away meanwhile", flags(with(later(func(*State) {}), func(o *Observation) { o.Renewed = true })), FlagTurned)
	equal(t, "a new one", flags(dir("e", 9)), 0)
	if _, err := s.Remote("r"); err != nil { // which has not read what follows
		t.Fatal(err)
	}
	equal(t, "turned once more", flags(with(later(func(s *State) { s.Ino = 5 }), func(o *Observation) { o.Renewed = true })), FlagTurned)
	equal(t, "and gone", flags(gone("d")), FlagTurned)
	equal(t, "as is what was no other", flags(gone("e")), 0)
}
