package replicate

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func parseWindow(t *testing.T, texts ...string) *Window {
	t.Helper()
	w, err := ParseWindow(texts)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWindow(t *testing.T) {
	utc := func(s string) time.Time {
		at, err := time.Parse("Mon 2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	night := parseWindow(t, "CRON_TZ=UTC 22:00-06:00")
	week := parseWindow(t, "CRON_TZ=UTC Mon-Fri 20:00-07:30", "CRON_TZ=UTC sat,SUN 00:00-24:00")
	china := parseWindow(t, "CRON_TZ=Asia/Shanghai 22:00-06:00")
	berlin := parseWindow(t, "CRON_TZ=Europe/Berlin 01:00-03:00")
	always := parseWindow(t, "CRON_TZ=UTC 00:00-24:00")
	for _, c := range []struct {
		name   string
		w      *Window
		at     string
		open   bool
		change string // "" for never
	}{
		{"night", night, "Mon 2026-11-30 21:59", false, "Mon 2026-11-30 22:00"},
		{"night", night, "Mon 2026-11-30 22:00", true, "Tue 2026-12-01 06:00"},
		{"night", night, "Tue 2026-12-01 05:59", true, "Tue 2026-12-01 06:00"},
		{"night", night, "Tue 2026-12-01 06:00", false, "Tue 2026-12-01 22:00"},
		{"the night to Saturday goes over into it", week, "Sat 2026-12-05 00:10", true, "Mon 2026-12-07 00:00"},
		{"the week-end", week, "Sun 2026-12-06 23:59", true, "Mon 2026-12-07 00:00"},
		{"Monday morning", week, "Mon 2026-12-07 00:00", false, "Mon 2026-12-07 20:00"},
		{"Friday", week, "Fri 2026-12-04 07:30", false, "Fri 2026-12-04 20:00"},
		{"in Shanghai", china, "Mon 2026-11-30 14:00", true, "Mon 2026-11-30 22:00"},
		{"in Shanghai", china, "Mon 2026-11-30 22:00", false, "Tue 2026-12-01 14:00"},
		{"an hour that is not there", berlin, "Sun 2026-03-29 00:30", true, "Sun 2026-03-29 01:00"},
		{"an hour that is there twice", berlin, "Sun 2026-10-25 01:30", true, "Sun 2026-10-25 02:00"},
		{"always", always, "Mon 2026-11-30 00:00", true, ""},
		{"none", nil, "Mon 2026-11-30 00:00", true, ""},
	} {
		at := utc(c.at)
		if got := c.w.Open(at); got != c.open {
			t.Errorf("%s, %s: open %v", c.name, c.at, got)
		}
		want := time.Time{}
		if c.change != "" {
			want = utc(c.change)
		}
		if got := c.w.Change(at); !got.Equal(want) {
			t.Errorf("%s, %s: changes at %v, want %v", c.name, c.at, got, want)
		}
	}
	for text, want := range map[string]string{
		"": "write it as", "22:00": "not a span", "22:00-22:00": "not a span", "24:00-06:00": "not a span", "22-06": "no time of day",
		"25:00-06:00": "no time of day", "Mo 22:00-06:00": "no day", "Mon- 22:00-06:00": "no day", "CRON_TZ=Nowhere 22:00-06:00": "time zone",
		"a b 22:00-06:00": "write it as", "22:0-06:00": "no time of day", "-1:00-06:00": "no time of day",
	} {
		if _, err := ParseWindow([]string{text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestWindowHolds: outside of its window nothing is sent to a remote, live or by a
// full sync, and all of it when the window opens.
func TestWindowHolds(t *testing.T) {
	inWindow := func(g *rig) { g.o.Window, _ = ParseWindow([]string{"CRON_TZ=UTC 03:00-04:00"}) }
	simulate(t, inWindow, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"d/f": "1"})
		seq := g.j.change("d/f")
		time.Sleep(time.Hour) // the time of the simulation begins at midnight
		synctest.Wait()
		if n := len(f.all()); n > 0 {
			t.Fatalf("%d runs outside of the window", n)
		}
		st := g.d.Status()
		if st.State != StateWaiting || st.Opens == nil || !st.Opens.Equal(time.Date(2000, 1, 1, 3, 0, 0, 0, time.UTC)) {
			t.Errorf("%s, opens at %v", st.State, st.Opens)
		}
		time.Sleep(2*time.Hour + time.Second)
		synctest.Wait()
		if n := len(f.all()); n == 0 {
			t.Error("nothing was sent when it opened")
		}
		if err := g.d.WaitFor(t.Context(), seq, nil); err != nil {
			t.Error(err)
		}
		if st := g.d.Status(); st.State != StateInSync {
			t.Error(st.State)
		}
		runs := len(f.all())
		time.Sleep(time.Hour)
		g.j.change("d/f")
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(f.all()); n > runs {
			t.Error("a run after it closed")
		}
	})
}
