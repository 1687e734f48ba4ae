package notify

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// film shows a tracker one remote after the other moment, and notes what it tells.
type film struct {
	*Tracker
	now  time.Time
	step time.Duration
	told []string
	all  []Item
}

func newFilm(r Rules) *film { return &film{Tracker: NewTracker(r), now: start, step: 2 * time.Second} }

func usual() Rules {
	return Rules{On: Kinds, Recovered: true, After: 5 * time.Minute, Repeat: 24 * time.Hour, Grace: time.Minute}
}

func sightOf(subject string, k Kind) Sight {
	s := Sight{Key: Key{subject, AspectState}}
	switch k {
	case "":
	case "?":
		s.Health = Unknown
	default:
		s.Health, s.Condition = Ill, Condition{Kind: k, ID: "E-X", Text: string(k)}
	}
	return s
}

// show has something be so for a while.
func (f *film) show(d time.Duration, sights ...Sight) *film {
	for ; d > 0; d -= f.step {
		f.look(f.step, sights...)
	}
	return f
}

func (f *film) look(elapsed time.Duration, sights ...Sight) {
	f.now = f.now.Add(f.step)
	items := f.Step(View{Elapsed: elapsed, Time: f.now, Sights: sights})
	f.all = append(f.all, items...)
	var parts []string
	for _, it := range items {
		parts = append(parts, fmt.Sprintf("%s %s %s", it.Event, it.Subject, it.Kind))
	}
	if len(parts) > 0 {
		f.told = append(f.told, strings.Join(parts, ", "))
	}
}

func (f *film) is(d time.Duration, k Kind) *film { return f.show(d, sightOf("www/nas", k)) }

// often has it fail and be well again and again.
func (f *film) often(times int, ill, well time.Duration) *film {
	for range times {
		f.is(ill, Failing).is(well, "")
	}
	return f
}

func (f *film) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(f.told, want) {
		t.Errorf("told:\n  %s\nwant:\n  %s", strings.Join(f.told, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestTracker(t *testing.T) {
	t.Parallel()
	immediate := usual()
	immediate.After = 0
	onlyFailing := usual()
	onlyFailing.On = []Kind{Failing}
	silent := usual()
	silent.Recovered = false
	daily := usual()
	daily.Repeat = time.Hour
	for name, c := range map[string]struct {
		film *film
		want []string
	}{
		"shorter than after":     {newFilm(usual()).is(4*time.Minute, Retrying).is(time.Hour, ""), nil},
		"longer, and over":       {newFilm(usual()).is(6*time.Minute, Retrying).is(time.Hour, ""), []string{"began www/nas retrying", "ended www/nas retrying"}},
		"not over before grace":  {newFilm(usual()).is(6*time.Minute, Retrying).is(50*time.Second, ""), []string{"began www/nas retrying"}},
		"a blip does not matter": {newFilm(usual()).is(4*time.Minute, Retrying).is(2*time.Second, "").is(80*time.Second, Retrying), []string{"began www/nas retrying"}},
		"without recovered":      {newFilm(silent).is(6*time.Minute, Retrying).is(time.Hour, ""), []string{"began www/nas retrying"}},
		"worse once, whatever it flaps between": {newFilm(usual()).is(6*time.Minute, Retrying).is(10*time.Second, Failing).is(10*time.Second, Retrying).is(10*time.Second, Failing).is(time.Minute, Held).is(time.Minute, Failing),
			[]string{"began www/nas retrying", "worse www/nas failing", "worse www/nas held"}},
		"what is not told is not recovery": {newFilm(onlyFailing).is(6*time.Minute, Failing).is(time.Hour, Retrying), []string{"began www/nas failing"}},
		"what is not told alone":           {newFilm(onlyFailing).is(6*time.Minute, Retrying).is(time.Hour, ""), nil},
		"paused does not count":            {newFilm(usual()).is(4*time.Minute, Failing).is(time.Hour, "?").is(50*time.Second, Failing), nil},
		"paused is not recovery":           {newFilm(usual()).is(6*time.Minute, Failing).is(time.Hour, "?"), []string{"began www/nas failing"}},
		"paused is not repeated":           {newFilm(daily).is(6*time.Minute, Failing).is(5*time.Hour, "?"), []string{"began www/nas failing"}},
		"repeated":                         {newFilm(daily).is(2*time.Hour+10*time.Minute, Failing), []string{"began www/nas failing", "still www/nas failing", "still www/nas failing"}},
		"worse is not told again after a reminder": {newFilm(daily).is(6*time.Minute, Held).is(70*time.Minute, Failing).is(time.Minute, Held),
			[]string{"began www/nas held", "still www/nas failing"}},
		"three minutes in ten": {newFilm(usual()).is(3*time.Minute, Failing).is(7*time.Minute, "").is(3*time.Minute, Failing).is(7*time.Minute, "").is(3*time.Minute, Failing),
			[]string{"began www/nas failing"}},
		"one minute in ten":      {newFilm(usual()).often(20, time.Minute, 9*time.Minute), nil},
		"gone":                   {newFilm(usual()).is(6*time.Minute, Failing).show(2 * time.Minute), []string{"began www/nas failing", "gone www/nas failing"}},
		"at once":                {newFilm(immediate).is(10*time.Second, Failing), []string{"began www/nas failing"}},
		"a blip at once is none": {newFilm(immediate).is(2*time.Second, Failing).is(time.Hour, ""), nil},
	} {
		t.Run(name, func(t *testing.T) { c.film.expect(t, c.want...) })
	}
}

// TestManyAtOnce: forty remotes that are lost within seconds are one message, in order.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	f := newFilm(usual())
	shown := func(lost int) (list []Sight) {
		for i := range 40 {
			k := Kind("")
			if i < lost {
				k = Retrying
			}
			list = append(list, sightOf(fmt.Sprintf("www/r%02d", i), k))
		}
		return list
	}
	f.show(2*time.Second, shown(20)...)
	f.show(10*time.Minute, shown(40)...)
	f.show(10*time.Minute, shown(0)...)
	if len(f.told) != 2 || strings.Count(f.told[0], "began") != 40 || strings.Count(f.told[1], "ended") != 40 || !strings.HasPrefix(f.told[0], "began www/r00") {
		t.Errorf("told %d messages: %s", len(f.told), strings.Join(f.told, "\n"))
	}
}

// TestItemsTellWhen: since, until and how long.
func TestItemsTellWhen(t *testing.T) {
	t.Parallel()
	f := newFilm(usual()).is(3*time.Minute, Failing).is(10*time.Second, "").is(7*time.Minute, Failing).is(2*time.Minute, "")
	if len(f.all) != 2 {
		t.Fatalf("%+v", f.all)
	}
	end := f.all[1]
	if !end.Since.Equal(start.Add(2*time.Second)) || !end.Until.Equal(start.Add(10*time.Minute+10*time.Second)) || end.Interruptions != 1 {
		t.Errorf("since %s until %s, %d interruptions", end.Since, end.Until, end.Interruptions)
	}
	if got := end.Until.Sub(end.Since); got != end.Lasted {
		t.Errorf("lasted %s, from %s to %s are %s", end.Lasted, end.Since, end.Until, got)
	}
}

// TestClockDoesNotMatter: whatever the time of day does, what is told and when depends
// on what elapsed.
func TestClockDoesNotMatter(t *testing.T) {
	t.Parallel()
	f := newFilm(usual())
	for range 4*30 + 20 {
		f.now = f.now.Add(time.Duration(rand.Int64N(int64(48*time.Hour))) - 24*time.Hour)
		f.look(2*time.Second, sightOf("www/nas", Failing))
	}
	f.expect(t) // 4m40s
	f.is(30*time.Second, Failing).expect(t, "began www/nas failing")
	// A process that was stopped for a week has seen one bad moment, and a second one.
	g := newFilm(usual())
	g.look(0, sightOf("www/nas", Failing))
	g.look(7*24*time.Hour, sightOf("www/nas", Failing))
	g.is(3*time.Minute, Failing).expect(t)
}

// TestRestart: in the middle of everything, from the file.
func TestRestart(t *testing.T) {
	t.Parallel()
	restart := func(f *film) *film {
		b, err := json.Marshal(f.snapshot(f.now, nil))
		if err != nil {
			t.Fatal(err)
		}
		var s state
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		next := NewTracker(f.rules)
		next.restore(s, f.now.Add(time.Hour))
		f.Tracker, f.now = next, f.now.Add(time.Hour)
		return f.is(20*time.Second, "?")
	}
	f := restart(newFilm(usual()).is(6*time.Minute, Failing)).is(time.Hour, Failing)
	f.expect(t, "began www/nas failing")
	restart(f).is(5*time.Minute, "").expect(t, "began www/nas failing", "ended www/nas failing")
	// What had not been told before goes on being counted: daemons that restart every
	// four minutes do not hide an outage.
	g := newFilm(usual())
	for range 3 {
		restart(g.is(2*time.Minute, Retrying))
	}
	g.expect(t, "began www/nas retrying")
	// Its remote is no longer there.
	h := restart(newFilm(usual()).is(6*time.Minute, Failing))
	h.show(2*time.Minute).expect(t, "began www/nas failing", "gone www/nas failing")
}

// TestFlapping: whatever the rhythm, trouble that is there for more than a fifth of the
// time is told, and messages stay few; every end is of something told.
func TestFlapping(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for round := range 25 {
		r := usual()
		r.After = time.Duration(rnd.IntN(10)) * time.Minute
		r.Grace = time.Duration(rnd.IntN(120)) * time.Second
		r.Repeat = 0
		f := newFilm(r)
		longest := 1 + rnd.IntN(1200)
		if round < 3 { // as fast as it is looked at, or nearly
			longest = round + 1
		}
		bad, wellFor, total := time.Duration(0), time.Duration(0), time.Duration(0)
		for total < 12*time.Hour {
			b, w := time.Duration(2+2*rnd.IntN(longest))*time.Second, time.Duration(2+2*rnd.IntN(longest))*time.Second
			kind := []Kind{Retrying, Failing}[rnd.IntN(2)]
			f.is(b, kind).is(w, "")
			bad, wellFor, total = bad+b, wellFor+w, total+b+w
		}
		began, ended, open := 0, 0, false
		for _, it := range f.all {
			switch it.Event {
			case Began:
				if open {
					t.Fatalf("began twice: %v", f.told)
				}
				began, open = began+1, true
			case Ended:
				if !open {
					t.Fatalf("ended without having begun: %v", f.told)
				}
				ended, open = ended+1, false
			}
		}
		// grace doubles from 10 s at least to an hour: nine relapses, then one in an hour.
		if most := 9 + int(total/time.Hour) + 1; began > most {
			t.Errorf("after %s, grace %s, spells up to %ds: %d messages in %s", r.After, r.Grace, 2*longest, began, total)
		}
		if share := float64(bad) / float64(total); share > 0.3 && began == 0 && bad > 10*r.After {
			t.Errorf("after %s: trouble for %.0f %% of %s was never told", r.After, 100*share, total)
		}
	}
}

// TestSteadyTroubleIsAlwaysTold: after any past, trouble without a break is told when
// after has passed, or is already.
func TestSteadyTroubleIsAlwaysTold(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	states := []Kind{"", "", "?", Failing, Retrying, Held}
	for range 40 {
		r := usual()
		r.After = time.Duration(rnd.IntN(600)) * time.Second
		f := newFilm(r)
		for range rnd.IntN(30) {
			f.is(time.Duration(2+rnd.IntN(900))*time.Second, states[rnd.IntN(len(states))])
		}
		f.is(r.After+gather+2*f.step, Held)
		tr := f.Tracker.all[Key{"www/nas", AspectState}]
		if tr == nil || !tr.Announced || tr.Level != Held.level() {
			t.Fatalf("after %s it is not told: %+v, %v", r.After, tr, f.told)
		}
		f.is(2*maxGrace+time.Minute, "")
		if last := f.all[len(f.all)-1]; last.Event != Ended {
			t.Fatalf("its end is not told: %v", f.told)
		}
	}
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	k := Key{"www/nas", AspectState}
	until := start
	it := func(e Event, untold bool) Item {
		i := Item{Key: k, Event: e, Untold: untold}
		if i.over() {
			i.Until = &until
		}
		return i
	}
	for _, c := range []struct {
		waits, comes Event
		want         Event
		untold       bool
	}{
		{Began, Ended, Ended, true}, {Worse, Ended, Ended, false}, {Still, Ended, Ended, false},
		{Began, Worse, Began, false}, {Began, Still, Began, false}, {Ended, Began, Again, false}, {Again, Ended, Ended, false}, {Again, Still, Again, false}, {Began, Gone, Gone, true}, {Still, Worse, Worse, false},
	} {
		var o outbox
		o.put(it(c.waits, false))
		o.put(it(c.comes, false))
		if len(o) != 1 || o[0].Event != c.want || o[0].Untold != c.untold {
			t.Errorf("%s, then %s: %+v", c.waits, c.comes, o)
		}
		// The same when the first was under way meanwhile.
		var p outbox
		p.put(it(c.comes, false))
		p.back([]Item{it(c.waits, false)})
		if len(p) != 1 || p[0].Event != c.want || p[0].Untold != c.untold {
			t.Errorf("%s under way, then %s: %+v", c.waits, c.comes, p)
		}
	}
}
