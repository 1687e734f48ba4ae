package journal

import "testing"

// TestReplacedDirectory: the record of a directory tells which other one the
// remotes may still have in its place.
func TestReplacedDirectory(t *testing.T) {
	s := source(t, openTest(t))
	if n := newSource(s.j, "x", header{Head: 7}).NewestReplaced(); n != 7 {
		t.Errorf("of what was journaled before the start, only %d is searched", n)
	}
	tree(t, s)
	r := remote(t, s, "nas")
	head := func() uint64 { return s.Head() }
	ack(t, r, head())
	at := int64(1)
	put := func(ino uint64, change func(*Observation)) {
		t.Helper()
		at++
		record(t, s, with(dir("d", ino), func(o *Observation) {
			o.At, o.State.Ctime, o.State.Mtime = base+at*second, base+at*second, base+at*second
			if change != nil {
				change(o)
			}
		}))
	}
	was := func(what string, want uint64) {
		t.Helper()
		rec, known, err := s.Stored("d")
		if err != nil || !known {
			t.Fatal(known, err)
		}
		if _, ino, ok := rec.Replaced(); ino != want || ok != (want != 0) {
			t.Errorf("%s: inode %d (%v), want %d", what, ino, ok, want)
		} else if newest := s.NewestReplaced(); rec.Type == Dir && ok != (newest >= rec.Since) {
			t.Errorf("%s: since seq %d, and the newest one is said to be at %d", what, rec.Since, newest)
		}
	}
	was("nobody was there", 0)
	put(20, nil)
	was("another one", 2)
	put(20, func(o *Observation) { o.State.Mode = 0o700 })
	was("its mode", 2)
	put(21, nil)
	was("a third one, before the remote heard of the second", 2)
	ack(t, r, head())
	put(22, nil)
	was("a fourth one, after that", 21)
	ack(t, r, head())
	put(22, func(o *Observation) { o.Renewed = true })
	was("the same, away meanwhile", 0)
	ack(t, r, head())
	record(t, s, with(file("d", 30, 40), func(o *Observation) {}))
	put(23, nil)
	was("a file was there", 0)
	put(24, nil)
	was("a directory that nobody heard of", 0)
	record(t, s, gone("d"))
	was("nothing is there", 0)
}
