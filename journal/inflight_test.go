package journal

import (
	"strconv"
	"testing"
	"time"
)

// syncedAt is a source with a remote that is done with its full sync, by a clock
// that shows now.
func syncedAt(t *testing.T, now *time.Time) (*Source, *Remote) {
	j := openTest(t)
	setClock(j, func() time.Time { return *now })
	s := source(t, j)
	r := remote(t, s, "nas")
	commit(t, r, Update{EndFullSync: true})
	return s, r
}

// TestReadInBetween: a remote that may have read a file since its mtime needs
// the content compared, others do not.
func TestReadInBetween(t *testing.T) {
	full := &FullSync{Reason: "asked"}
	retry := Retry{Path: "f", Seq: 2, Op: OpChange}
	stamp, other := Retry{Path: "", Seq: 1, Op: OpChange}, Retry{Path: "g", Seq: 3, Op: OpChange}
	for name, c := range map[string]struct {
		commits []Update
		pause   time.Duration // from the last commit to the mtime
		want    Flag
	}{
		"queued":             {[]Update{{Cursor: &Cursor{Low: 1}}}, time.Hour, FlagChecksum},
		"acked long ago":     {[]Update{{Cursor: &Cursor{Low: 2}}}, time.Second, 0},
		"acked just now":     {[]Update{{Cursor: &Cursor{Low: 2}}}, 10 * time.Millisecond, FlagChecksum},
		"other acked later":  {[]Update{{Cursor: &Cursor{Low: 2}}, {Cursor: &Cursor{Low: 3}}, {Cursor: &Cursor{Low: 4}}}, 10 * time.Millisecond, 0},
		"acked out of order": {[]Update{{Cursor: &Cursor{Low: 1, Done: []Range{{2, 2}}}}}, time.Second, 0},
		"failing":            {[]Update{{Cursor: &Cursor{Low: 2}, PutRetry: []Retry{retry}}}, time.Second, FlagChecksum},
		"failed, healed":     {[]Update{{Cursor: &Cursor{Low: 2}, PutRetry: []Retry{retry}}, {DelRetry: []string{"f"}}}, time.Second, 0},
		"healed just now":    {[]Update{{Cursor: &Cursor{Low: 2}, PutRetry: []Retry{retry}}, {DelRetry: []string{"f"}}}, 10 * time.Millisecond, FlagChecksum},
		"other failing":      {[]Update{{Cursor: &Cursor{Low: 4}, PutRetry: []Retry{{Path: "g", Seq: 3, Op: OpChange}}}}, time.Second, 0},
		"full sync":          {[]Update{{Cursor: &Cursor{Low: 4}, FullSync: full}}, time.Second, FlagChecksum},
		"full sync ended":    {[]Update{{Cursor: &Cursor{Low: 4}, FullSync: full}, {EndFullSync: true}}, time.Second, 0},
		"dir stamped":        {[]Update{{Cursor: &Cursor{Low: 2}, PutRetry: []Retry{stamp}}, {Cursor: &Cursor{Low: 3}, DelRetry: []string{""}, Shallow: true}, {Cursor: &Cursor{Low: 4}}}, 10 * time.Millisecond, 0},
		"dir of a sink":      {[]Update{{Cursor: &Cursor{Low: 2}, PutRetry: []Retry{stamp}}, {Cursor: &Cursor{Low: 4}, DelRetry: []string{""}}}, 10 * time.Millisecond, FlagChecksum},
		"other file healed":  {[]Update{{Cursor: &Cursor{Low: 2}, PutRetry: []Retry{other}}, {Cursor: &Cursor{Low: 4}, DelRetry: []string{"g"}}}, 10 * time.Millisecond, FlagChecksum},
		"ended just now":     {[]Update{{Cursor: &Cursor{Low: 4}, FullSync: full}, {EndFullSync: true}}, 10 * time.Millisecond, FlagChecksum},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(0, base)
			s, r := syncedAt(t, &now)
			record(t, s, dir("", 1), file("f", 2, -100), file("g", 3, -100), file("h", 4, -100))
			for _, u := range c.commits {
				now = now.Add(time.Second)
				commit(t, r, u)
			}
			mtime := now.Add(c.pause).UnixNano()
			record(t, s, with(file("f", 2, -100), func(o *Observation) {
				o.State.Mtime, o.State.Ctime, o.At = mtime, mtime, mtime+second
			}))
			list := entries(t, s)
			equal(t, "flags", list[len(list)-1].Flags, c.want)
		})
	}
}

// TestHistoryOfAStream: commits that never cease leave known what was done a
// second ago, or ten, and nothing that was not.
func TestHistoryOfAStream(t *testing.T) {
	r := &Remote{}
	begin := time.Unix(0, base)
	now := begin
	for i := range uint64(10_000) { // one entry each 10 ms: 100 s
		r.history.note(now, r.cursor)
		r.cursor = Cursor{Low: i + 1}
		now = now.Add(10 * time.Millisecond)
	}
	if n := len(r.history.marks); n > 40 {
		t.Errorf("%d marks", n)
	}
	for _, age := range []time.Duration{time.Millisecond, 70 * time.Millisecond, 500 * time.Millisecond, 3 * time.Second, 20 * time.Second, 40 * time.Second} {
		at := now.Add(-age)
		done := uint64(at.Sub(begin) / (10 * time.Millisecond)) // at that time
		if r.doneBefore("f", done+2, at) {
			t.Errorf("what was not done %v ago is known for done", age)
		}
		enough := uint64(age/2+100*time.Millisecond) / uint64(10*time.Millisecond)
		if done > enough && !r.doneBefore("f", done-enough, at) {
			t.Errorf("what was done %d entries before is not known to be done %v ago", enough, age)
		}
	}
	at := now.Add(-3 * time.Second)
	r.history.noteRead(now.Add(-2*time.Second), []string{"d"})
	if r.doneBefore("d", 1, at) || !r.doneBefore("d/f", 1, at) || !r.doneBefore("d", 1, now.Add(-time.Second)) {
		t.Error("a path that was read without an entry, two seconds ago")
	}
	for i := range maxReread {
		r.history.noteRead(now, []string{strconv.Itoa(i)})
	}
	if r.doneBefore("f", 1, at) || !r.doneBefore("f", 1, now.Add(time.Second)) {
		t.Error("too many paths were read without an entry")
	}
}

// TestHistoryOfRarePaths: what was done long ago is known when the cursor is
// replaced, though nothing was written in between.
func TestHistoryOfRarePaths(t *testing.T) {
	r := &Remote{cursor: Cursor{Low: 9}, history: history{last: time.Unix(0, base)}}
	r.history.note(time.Unix(0, base).Add(time.Hour), r.cursor)
	r.cursor = Cursor{Low: 10}
	if at := time.Unix(0, base).Add(time.Minute); !r.doneBefore("f", 9, at) || r.doneBefore("f", 10, at) {
		t.Errorf("a minute later: done %v, what came after an hour %v", r.doneBefore("f", 9, at), r.doneBefore("f", 10, at))
	}
}

// TestHistoryAndTheClock: what a clock showed before it was set back says nothing
// until it shows that again.
func TestHistoryAndTheClock(t *testing.T) {
	r := &Remote{cursor: Cursor{Low: 9}}
	before := time.Unix(0, base)
	r.history.note(before, r.cursor)
	set := before.Add(-time.Minute)
	r.history.note(set, r.cursor)
	for at, want := range map[time.Time]bool{set.Add(time.Second): false, before: false, before.Add(time.Second): true} {
		if got := r.doneBefore("f", 5, at); got != want {
			t.Errorf("%v after the clock was set: done %v", at.Sub(set), got)
		}
	}
}

// TestReadByAnotherName: a file with other names, and what was a directory, may be
// read with other entries than their own.
func TestReadByAnotherName(t *testing.T) {
	linked := func(path string, ino uint64) Observation {
		return with(file(path, ino, -100), func(o *Observation) { o.State.Nlink = 2 })
	}
	for name, c := range map[string]struct {
		before, after Observation
		low           uint64
		pause         time.Duration
		want          Flag
	}{
		"one name, others under way":  {file("f", 2, -100), file("f", 2, -100), 2, 10 * time.Second, 0},
		"two names, others under way": {linked("f", 2), linked("f", 2), 2, 10 * time.Second, FlagChecksum},
		"the other name went":         {linked("f", 2), file("f", 2, -100), 2, 10 * time.Second, FlagChecksum},
		"two names, all done":         {linked("f", 2), linked("f", 2), 4, 10 * time.Second, 0},
		"two names, done just now":    {linked("f", 2), linked("f", 2), 4, 10 * time.Millisecond, FlagChecksum},
		"was a directory":             {dir("f", 2), file("f", 9, -100), 2, 10 * time.Second, FlagChecksum},
		"was a directory, all done":   {dir("f", 2), file("f", 9, -100), 4, 10 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(0, base)
			s, r := syncedAt(t, &now)
			record(t, s, dir("", 1), c.before, file("g", 3, -100), file("h", 4, -100))
			now = now.Add(time.Second)
			commit(t, r, Update{Cursor: &Cursor{Low: c.low}})
			mtime := now.Add(c.pause).UnixNano()
			record(t, s, with(c.after, func(o *Observation) {
				o.State.Mtime, o.State.Ctime, o.At = mtime, mtime, mtime+second
			}))
			list := entries(t, s)
			equal(t, "flags", list[len(list)-1].Flags, c.want)
		})
	}
}

// A full sync reads paths that have no entry yet.
func TestNewFileDuringFullSync(t *testing.T) {
	s := source(t, openTest(t))
	remote(t, s, "nas")
	record(t, s, dir("", 1), file("f", 2, 0))
	list := entries(t, s)
	equal(t, "directory", list[0].Flags, 0)
	equal(t, "file", list[1].Flags, FlagChecksum)
}
