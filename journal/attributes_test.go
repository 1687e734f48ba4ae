package journal

import "testing"

// TestAttributesLater is the table of what has an entry where attributes that
// changed alone are to go along with a later one.
func TestAttributesLater(t *testing.T) {
	old := file("f", 9, 0)
	state := func(of Observation, change func(*State)) Observation {
		of.At += 10 * second
		of.AttributesLater = true
		change(&of.State)
		return of
	}
	unwritten := func(of Observation, change func(*State)) Observation {
		of = state(of, change)
		of.Unwritten = true
		return of
	}
	link := with(old, func(o *Observation) { o.State.Type, o.State.Size = Symlink, 4 })
	chmod := func(s *State) { s.Mode, s.Ctime = 0o600, s.Ctime+second }
	for name, c := range map[string]struct {
		first, second Observation
		want          string
		behind        bool
	}{
		"equal":                  {old, unwritten(old, func(*State) {}), "", false},
		"mode":                   {old, unwritten(old, chmod), "", true},
		"owner":                  {old, unwritten(old, func(s *State) { s.UID, s.Ctime = 7, s.Ctime+second }), "", true},
		"group":                  {old, unwritten(old, func(s *State) { s.GID, s.Ctime = 7, s.Ctime+second }), "", true},
		"mode, racy after":       {old, with(unwritten(old, chmod), func(o *Observation) { o.State.Ctime = o.At - ms }), "racy", true},
		"mode, racy before":      {racy(old), unwritten(old, chmod), "", true},
		"mode, may be written":   {old, state(old, chmod), "change checksum", false},
		"mode and size":          {old, unwritten(old, func(s *State) { chmod(s); s.Size++ }), "change", false},
		"mode and mtime":         {old, unwritten(old, func(s *State) { chmod(s); s.Mtime += second }), "change", false},
		"mode and mtime back":    {old, unwritten(old, func(s *State) { chmod(s); s.Mtime -= second }), "change checksum", false},
		"mode and link count":    {old, unwritten(old, func(s *State) { chmod(s); s.Nlink++ }), "change", false},
		"mode, another inode":    {old, unwritten(old, func(s *State) { chmod(s); s.Ino++ }), "change checksum", false},
		"mode, another device":   {old, unwritten(old, func(s *State) { chmod(s); s.Dev++ }), "change checksum", false},
		"ctime alone":            {old, unwritten(old, func(s *State) { s.Ctime += second }), "change checksum", false},
		"suspect":                {old, with(state(old, func(*State) {}), func(o *Observation) { o.Suspect = old.At + 1 }), "change checksum", false},
		"racy equal":             {racy(old), state(racy(old), func(*State) {}), "change checksum", false},
		"racy equal, no write":   {racy(old), unwritten(racy(old), func(*State) {}), "", false},
		"symlink's owner":        {link, unwritten(link, func(s *State) { s.UID, s.Ctime = 7, s.Ctime+second }), "change", false},
		"file to symlink":        {old, unwritten(link, chmod), "change", false},
		"new":                    {gone("f"), unwritten(old, chmod), "change", false},
		"directory's mtime":      {dir("f", 5), state(dir("f", 5), func(s *State) { s.Mtime += second; s.Ctime += second }), "", true},
		"directory's mode":       {dir("f", 5), state(dir("f", 5), chmod), "", true},
		"directory racy":         {racy(dir("f", 5)), state(racy(dir("f", 5)), func(*State) {}), "", false},
		"directory confirmed":    {racy(dir("f", 5)), with(state(racy(dir("f", 5)), func(*State) {}), func(o *Observation) { o.Confirm = true }), "", false},
		"directory equal":        {dir("f", 5), state(dir("f", 5), func(*State) {}), "", false},
		"another directory":      {dir("f", 5), state(dir("f", 6), chmod), "change descend", false},
		"directory renewed":      {dir("f", 5), renewed(state(dir("f", 5), chmod)), "change descend", false},
		"directory to file":      {dir("f", 9), unwritten(old, chmod), "change checksum", false},
		"directory came back":    {gone("f"), state(dir("f", 5), chmod), "change descend", false},
		"baseline and then mode": {with(old, func(o *Observation) { o.Baseline = true }), unwritten(old, chmod), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(t, openTest(t))
			record(t, s, dir("", 1), c.first)
			head := s.Head()
			res := record(t, s, c.second)[0]
			equal(t, "outcome", outcome(t, s, head, res), c.want)
			rec, _, err := s.Lookup("f")
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "behind", rec.Behind, c.behind)
			equal(t, "state", rec.State, c.second.State.normal())
			if c.behind {
				toldWhenWanted(t, s, head, c.second)
			}
		})
	}
}

// toldWhenWanted: what was passed over stays so, and is a change where attributes
// always count.
func toldWhenWanted(t *testing.T, s *Source, head uint64, o Observation) {
	t.Helper()
	o.At, o.Confirm = o.At+second, true
	equal(t, "again", record(t, s, o)[0].Seq, 0)
	o.AttributesLater, o.Confirm = false, false
	rec, _, err := s.Lookup("f")
	if err != nil || !rec.Behind || Same(rec, o) {
		t.Errorf("it is not known that remotes are behind: %v %+v", err, rec)
	}
	if res := record(t, s, o)[0]; res.Seq != head+1 {
		t.Errorf("not told when it is to be: %+v", res)
	}
	if rec, _, err = s.Lookup("f"); err != nil || rec.Behind {
		t.Errorf("still behind: %v", err)
	}
}

// TestBehindIsOverWithTheNextEntry: whatever tells of the path tells of its
// attributes; what was passed over hides no write.
func TestBehindIsOverWithTheNextEntry(t *testing.T) {
	chmod := with(file("f", 9, 0), func(o *Observation) {
		o.AttributesLater, o.Unwritten = true, true
		o.At += 10 * second
		o.State.Mode, o.State.Ctime = 0o600, o.State.Ctime+second
	})
	for name, c := range map[string]struct {
		then func(o *Observation)
		want string
	}{
		"written":                    {func(o *Observation) { o.State.Size++; o.State.Mtime, o.State.Ctime = o.At, o.At }, "change racy"},
		"written, mtime put back":    {func(o *Observation) { o.State.Ctime += second }, "change checksum"},
		"the same, and another mode": {func(o *Observation) { o.Unwritten, o.State.Mode = false, 0o640; o.State.Ctime += second }, "change checksum"},
		"gone":                       {func(o *Observation) { o.State = State{} }, "remove"},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(t, openTest(t))
			record(t, s, dir("", 1), file("f", 9, 0), chmod)
			next := with(chmod, func(o *Observation) { o.At += 10 * second; c.then(o) })
			head := s.Head()
			equal(t, "outcome", outcome(t, s, head, record(t, s, next)[0]), c.want)
			if rec, _, err := s.Lookup("f"); err != nil || rec.Behind {
				t.Errorf("still behind: %v", err)
			}
		})
	}
}
