package history

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 1, 0, 30, 0, 0, time.UTC)

func TestBinsNeverSayLess(t *testing.T) {
	for _, d := range []time.Duration{0, 1, time.Millisecond, time.Millisecond + 1, 17 * time.Millisecond, time.Second, 90 * time.Minute, 60 * 24 * time.Hour} {
		k := binOf(d)
		if b := bound(k); b < d.Seconds()*(1-1e-6) || d > time.Millisecond && b > d.Seconds()*1.26 {
			t.Errorf("%s is in bin %d, up to %gs", d, k, b)
		}
	}
	if k := binOf(1000 * 24 * time.Hour); k != lastBin {
		t.Errorf("1000 days are in bin %d", k)
	}
	if binOf(-time.Second) != 0 {
		t.Error("a negative latency")
	}
}

// TestQuantilesAgainstTheTruth compares with all the values, sorted.
func TestQuantilesAgainstTheTruth(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var l Log
	var all []float64
	for range 5000 {
		d := time.Duration(rnd.ExpFloat64() * float64(200*time.Millisecond))
		all = append(all, d.Seconds())
		l.Delivered(start, start.Add(-d))
	}
	slices.Sort(all)
	s := l.Sum(start.Add(-time.Hour), start.Add(time.Hour))
	for q, got := range map[float64]float64{0.5: s.Latency.P50, 0.95: s.Latency.P95, 0.99: s.Latency.P99} {
		truth := all[int(q*5000)-1]
		if got < truth-1e-9 || got > max(truth*1.26, 0.001) {
			t.Errorf("%v of it: %g, in truth %g", q, got, truth)
		}
	}
	if s.Latency.Max != all[len(all)-1] || s.Delivered != 5000 {
		t.Errorf("%+v, longest %g", s, all[len(all)-1])
	}
}

// TestHoursBecomeDays runs two months: sums stay right, size stays bounded.
func TestHoursBecomeDays(t *testing.T) {
	var l Log
	now := start
	for range 60 * 24 {
		l.Delivered(now, now.Add(-time.Second))
		l.Carried(now, 10)
		now = now.Add(time.Hour)
	}
	now = now.Add(-time.Hour) // the last one noted
	if n := len(l.spans); n > hoursKept+24+KeepDays+1 {
		t.Errorf("%d spans", n)
	}
	sum := func(d time.Duration) Sum { return l.Sum(Since(now, d), now) }
	for _, c := range []struct {
		back time.Duration
		want uint64
	}{{0, 1}, {time.Hour, 2}, {24 * time.Hour, 25}, {7 * 24 * time.Hour, 169}} {
		if got := sum(c.back); got.Delivered != c.want || got.Bytes != 10*c.want {
			t.Errorf("within %s: %d changes, %d bytes, want %d", c.back, got.Delivered, got.Bytes, c.want)
		}
	}
	if got := sum(14 * 24 * time.Hour).Delivered; got < 14*24 || got > 15*24 {
		t.Errorf("within 14 days: %d", got) // begins with a whole day
	}
	if got := sum(365 * 24 * time.Hour); got.Delivered < (KeepDays-1)*24 || got.Delivered > (KeepDays+1)*24 || now.Sub(*got.Begin) > (KeepDays+1)*24*time.Hour {
		t.Errorf("all: %d since %s", got.Delivered, got.Begin)
	}
	b, err := l.Encode()
	if err != nil || len(b) > 64<<10 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestAClockThatIsWrongForAWhile(t *testing.T) {
	var l Log
	l.Delivered(start, start)
	l.Delivered(start.Add(400*24*time.Hour), start)
	l.Delivered(start.Add(time.Hour), start)
	l.Delivered(start.Add(2*time.Hour), start)
	if s := l.Sum(start.Add(-time.Hour), start.Add(3*time.Hour)); s.Delivered != 2 {
		t.Errorf("%d changes: what is left after the jump are two", s.Delivered)
	}
	if len(l.spans) != 2 {
		t.Errorf("%d spans", len(l.spans))
	}
}

func TestOutages(t *testing.T) {
	var l Log
	at := func(min int) time.Time { return start.Add(time.Duration(min) * time.Minute) }
	l.Health(at(0), "")
	l.Health(at(1), "E-CONNECT")
	l.Health(at(2), "E-AUTH") // the same outage still
	l.Health(at(11), "")
	l.Health(at(20), "E-CONNECT")
	l.Health(at(25), "")
	l.Health(at(25).Add(10*time.Second), "E-CONNECT") // flaps
	l.Health(at(30), "")
	l.Health(at(40), "E-NOSPACE")
	l.Down(at(45), at(50))
	got := ""
	s := l.Sum(start.Add(-time.Hour), at(60))
	for _, o := range s.Outages {
		end := "…"
		if !o.End.IsZero() {
			end = o.End.Format("04")
		}
		got += fmt.Sprintf("%s %s-%s; ", o.ErrorID, o.Begin.Format("04"), end)
	}
	if want := "E-CONNECT 31-41; E-CONNECT 50-00; E-NOSPACE 10-…; stopped 15-20; "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s.Down != (10+10+20)*60 {
		t.Errorf("down for %g s", s.Down)
	}
	if s := l.Sum(at(41), at(60)); s.Down != 19*60 || len(s.Outages) != 2 {
		t.Errorf("a part of it: %+v", s)
	}
	for i := range 2 * maxOutages {
		l.Health(at(100+10*i), "")
		l.Health(at(105+10*i), "E-X")
	}
	if len(l.outages) != maxOutages {
		t.Errorf("%d outages are kept", len(l.outages))
	}
}

func TestRuns(t *testing.T) {
	var l Log
	for i := range 2 * maxRuns {
		l.Ran(Run{Kind: KindVerify, Begin: start, End: start.Add(time.Duration(i) * time.Minute), Message: strings.Repeat("ü", 1000)})
	}
	l.Ran(Run{Kind: KindFull, Begin: start, End: start, Complete: true})
	s := l.Sum(start, start.Add(1000*time.Minute))
	if len(s.Full) != 1 || len(s.Verify) != maxRuns-1 || len([]rune(s.Verify[0].Message)) != maxText {
		t.Errorf("%d full syncs, %d verifies", len(s.Full), len(s.Verify))
	}
}

func TestSaveAndLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history", "www", "nas")
	l, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Save(file); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("nothing happened and was written")
	}
	l.Delivered(start, start.Add(-time.Second))
	l.Carried(start, 7)
	l.Behind(start, time.Minute)
	l.Health(start, "E-CONNECT")
	l.Ran(Run{Kind: KindFull, Begin: start, End: start, Complete: true, Dirs: 3})
	if err := l.Save(file); err != nil {
		t.Fatal(err)
	}
	again, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want, got := l.Sum(start, start), again.Sum(start, start)
	if fmt.Sprintf("%+v %+v", want, *want.Latency) != fmt.Sprintf("%+v %+v", got, *got.Latency) && got.Behind != 60 {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if err := os.WriteFile(file, []byte(`{"version":1,"spans":[{"hour":-1}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Load(file); err == nil || l == nil {
		t.Errorf("a damaged file: %v %v", l, err)
	}
	if err := l.Save(filepath.Join(file, "below a file")); err != nil {
		t.Error("nothing new, and yet it was written:", err)
	}
	l.Carried(start, 1)
	if err := l.Save(filepath.Join(file, "below a file")); err == nil || !l.dirty {
		t.Error("what could not be written counts as written")
	}
}

func FuzzDecode(f *testing.F) {
	l := &Log{}
	l.Delivered(start, start.Add(-time.Second))
	l.Health(start, "E-X")
	l.Ran(Run{Kind: KindVerify, Begin: start, End: start})
	seed, err := l.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"spans":[{"hour":24,"hours":24,"bins":[[101,4294967295]]}],"outages":[{"begin":"9999-12-31T23:59:59-23:00"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Decode(b)
		if err != nil {
			return
		}
		one, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(one)
		if err != nil {
			t.Fatalf("%s: %v", one, err)
		}
		two, err := again.Encode()
		if err != nil || string(one) != string(two) {
			t.Fatalf("%s became %s (%v)", one, two, err)
		}
		l.Delivered(start, start.Add(-time.Minute))
		l.Sum(start.Add(-time.Hour), start)
	})
}

func BenchmarkDelivered(b *testing.B) {
	var l Log
	for b.Loop() {
		l.Delivered(start, start.Add(-3*time.Millisecond))
	}
}

// TestSpansAddUp: hour by hour it is the same as in one sum.
func TestSpansAddUp(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var l Log
	now := start
	for range 500 {
		now = now.Add(time.Duration(rnd.IntN(5)) * time.Hour)
		l.Delivered(now, now.Add(-time.Duration(rnd.IntN(1e6))*time.Microsecond))
		l.Carried(now, rnd.Int64N(1000))
	}
	if s := (&Log{}).Sum(start, now); s.Known != nil || s.Spans == nil {
		t.Errorf("an empty one: %+v", s)
	}
	for _, back := range []time.Duration{time.Hour, 30 * time.Hour, 20 * 24 * time.Hour, KeepDays * 24 * time.Hour} {
		sum, spans := l.Sum(now.Add(-back), now), l.Spans(now.Add(-back), now)
		var delivered, bytes uint64
		longest := 0.0
		for i, s := range spans {
			delivered, bytes, longest = delivered+s.Delivered, bytes+s.Bytes, max(longest, s.Latency.Max)
			if !s.End.After(s.Begin) || i > 0 && s.Begin.Before(spans[i-1].End) {
				t.Errorf("%s to %s", s.Begin, s.End)
			}
			if q := s.Latency; q.P50 > q.P95 || q.P95 > q.P99 || q.P99 > q.Max {
				t.Errorf("%+v", q)
			}
		}
		if delivered != sum.Delivered || bytes != sum.Bytes || longest != sum.Latency.Max || !spans[0].Begin.Equal(*sum.Begin) {
			t.Errorf("%s: %d, %d, %g of %+v", back, delivered, bytes, longest, sum)
		}
		if sum.Known == nil || sum.Known.After(*sum.Begin) {
			t.Errorf("known since %v", sum.Known)
		}
	}
}
