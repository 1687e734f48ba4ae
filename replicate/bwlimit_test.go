package replicate

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// limitOf is a limit for all times.
func limitOf(rate int64) *BWLimit { return &BWLimit{otherwise: rate} }

func newLimit(t *testing.T, otherwise int64, times ...LimitAt) *BWLimit {
	t.Helper()
	l, err := NewBWLimit(otherwise, times...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// changesIn is a limit that changes after a while, for as good as a day: it is told
// by a clock of its own.
func changesIn(t *testing.T, left time.Duration, now, then int64) *BWLimit {
	t.Helper()
	l := newLimit(t, now, LimitAt{"08:00-07:30", then})
	day := time.Now().UTC().Truncate(24 * time.Hour)
	at := day.Add(8*time.Hour - left) // what its clock is to show
	l.times[0].loc = time.FixedZone("", int(at.Sub(time.Now().UTC()).Round(time.Second).Seconds()))
	return l
}

func TestBWLimit(t *testing.T) {
	at := func(text string) time.Time {
		tm, err := time.ParseInLocation("2006-01-02 15:04", text, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		return tm
	}
	week := newLimit(t, 50<<20, LimitAt{"CRON_TZ=UTC Sat,Sun 00:00-24:00", 0}, LimitAt{"CRON_TZ=UTC 08:00-20:00", 5 << 20})
	for _, c := range []struct {
		l      *BWLimit
		now    string
		want   int64
		change string
	}{
		{nil, "2026-11-30 12:00", 0, ""},
		{limitOf(7000), "2026-11-30 12:00", 7000, ""},
		{week, "2026-11-30 12:00", 5 << 20, "2026-11-30 20:00"}, // a Monday
		{week, "2026-11-30 20:00", 50 << 20, "2026-12-01 08:00"},
		{week, "2026-12-04 20:00", 50 << 20, "2026-12-05 00:00"},
		{week, "2026-12-05 12:00", 0, "2026-12-07 00:00"}, // the first that holds counts
		{newLimit(t, 1, LimitAt{"CRON_TZ=UTC 08:00-20:00", 1}), "2026-11-30 12:00", 1, ""},
		{newLimit(t, 9, LimitAt{"CRON_TZ=Asia/Shanghai 08:00-20:00", 5}), "2026-11-30 00:00", 5, "2026-11-30 12:00"},
	} {
		now := at(c.now)
		if got := c.l.At(now); got != c.want {
			t.Errorf("at %s: %d, want %d", c.now, got, c.want)
		}
		var change string
		if next := c.l.Change(now); !next.IsZero() {
			change = next.UTC().Format("2006-01-02 15:04")
		}
		if change != c.change {
			t.Errorf("at %s it changes %q, want %q", c.now, change, c.change)
		}
	}
	for rate, want := range map[int64]string{0: "", 1: "1", 1024: "1", 20 << 20: "20480"} {
		if got := limitOf(rate).arg(time.Now()); got != want {
			t.Errorf("%d is given as %q", rate, got)
		}
	}
	if _, err := NewBWLimit(0, LimitAt{"8-20", 1}); err == nil || !strings.Contains(err.Error(), "no time of day") {
		t.Error(err)
	}
}

// TestLimitStopsBigFiles: a big file that is under way goes on with the new limit,
// what is not big ends by itself, and none is stopped for a short time.
func TestLimitStopsBigFiles(t *testing.T) {
	for name, c := range map[string]struct {
		until string
		runs  int // of the big file
	}{"for long": {"20:00", 2}, "for a moment": {"01:30", 1}} {
		t.Run(name, func(t *testing.T) {
			limit := func(g *rig) {
				g.o.BigFile, g.o.Rsync.BWLimit = 1<<20, newLimit(t, 0, LimitAt{"CRON_TZ=UTC 01:00-" + c.until, 5 << 20})
			}
			simulate(t, limit, func(t *testing.T, g *rig, f *fakeTransport) {
				write(t, g.src, map[string]string{"d/small": "1", "e/big": strings.Repeat("x", 2<<20)})
				f.mu.Lock()
				f.takes = 2 * time.Hour
				f.mu.Unlock()
				g.j.change("d/small")
				synctest.Wait()
				seq := g.j.change("e/big")
				time.Sleep(30 * time.Minute)
				if st := g.d.Status(); st.Limit != 0 || st.LimitUntil == nil || len(st.InFlight) != 2 {
					t.Fatalf("before: %+v", st)
				}
				time.Sleep(31 * time.Minute)
				synctest.Wait()
				if st := g.d.Status(); st.Limit != 5<<20 || st.Retries != 0 || st.Error != nil || len(st.InFlight) != 2 {
					t.Errorf("after: %+v", st)
				}
				if err := g.d.WaitFor(t.Context(), seq, nil); err != nil {
					t.Error(err)
				}
				runs := map[string]int{}
				for _, r := range f.all() {
					for _, p := range r.paths {
						runs[p]++
					}
				}
				if runs["d/small"] != 1 || runs["e/big"] != c.runs {
					t.Errorf("runs: %v", runs)
				}
			})
		})
	}
}

// TestLimitChangesWhileSending: the part of a big file that a remote has is not
// sent again, and what is sent after the change has the new limit.
func TestLimitChangesWhileSending(t *testing.T) {
	const size = 32 << 20 // half a minute with the first limit
	g := newRig(t, targets["daemon"], func(g *rig) {
		g.o.BigFile = 1 << 20
		g.o.Rsync.BWLimit = changesIn(t, 6*time.Second, 1<<20, 0)
	}).start()
	write(t, g.src, map[string]string{"d/small": "1"})
	randomFile(t, g.src+"/d/big", size)
	begin := time.Now()
	g.sync()
	if took := time.Since(begin); took > 24*time.Second {
		t.Errorf("it took %v, as with the limit of the beginning", took)
	}
	g.equal()
	st := g.d.Status()
	if st.Retries != 0 || st.Error != nil || st.Limit != 0 {
		t.Errorf("%+v", st)
	}
	// The first run's bytes are not counted, it was stopped.
	if st.WireBytes > size-1<<20 {
		t.Errorf("%d bytes of %d were sent after the change", st.WireBytes, size)
	}
}

// TestLimitRenewsSpares: one that waits with the limit from before is replaced.
func TestLimitRenewsSpares(t *testing.T) {
	g := warmed(t, func(g *rig) { g.o.Rsync.BWLimit = changesIn(t, 8*time.Second, 1<<20, 2<<20) })
	old := g.spare()
	if !strings.Contains(old.key, "--bwlimit=1024") {
		t.Fatalf("the limit is missing: %q", old.key)
	}
	<-old.done
	next := g.spare()
	if next == old || !strings.Contains(next.key, "--bwlimit=2048") {
		t.Errorf("%q waits", next.key)
	}
	was := g.warmRuns()
	g.change("333")
	if g.warmRuns() == was {
		t.Error("the new one did not carry the next change")
	}
	if slices.ContainsFunc(g.pool().idle, func(sp *spare) bool { return sp == old }) {
		t.Error("the old one is still there")
	}
	g.untroubled()
}
