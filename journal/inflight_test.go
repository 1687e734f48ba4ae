package journal

import (
	"testing"
	"time"
)

// TestReadInBetween: a remote that may have read a file since its mtime needs
// the content compared, others do not.
func TestReadInBetween(t *testing.T) {
	full := &FullSync{Reason: "asked"}
	retry := Retry{Path: "f", Seq: 2, Op: OpChange}
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
		"ended just now":     {[]Update{{Cursor: &Cursor{Low: 4}, FullSync: full}, {EndFullSync: true}}, 10 * time.Millisecond, FlagChecksum},
	} {
		t.Run(name, func(t *testing.T) {
			j := openTest(t)
			now := time.Unix(0, base)
			setClock(j, func() time.Time { return now })
			s := source(t, j)
			r := remote(t, s, "nas")
			commit(t, r, Update{EndFullSync: true})
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

// A full sync reads paths that have no entry yet.
func TestNewFileDuringFullSync(t *testing.T) {
	s := source(t, openTest(t))
	remote(t, s, "nas")
	record(t, s, dir("", 1), file("f", 2, 0))
	list := entries(t, s)
	equal(t, "directory", list[0].Flags, 0)
	equal(t, "file", list[1].Flags, FlagChecksum)
}
