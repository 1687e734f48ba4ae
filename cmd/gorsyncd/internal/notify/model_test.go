package notify

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// belief is what somebody who reads the messages thinks.
type belief struct {
	t    *testing.T
	ill  map[string]bool
	read int
	// killed is that messages may come twice: a kill loses that they were delivered.
	killed bool
}

// update reads what has come since.
func (b *belief) update(r *receiver) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.got[b.read:] {
		for _, it := range m.Problems {
			switch {
			case b.killed:
			case it.Event == Began && b.ill[it.Subject]:
				b.t.Errorf("told twice that %s has begun", it.Subject)
			case it.Event != Began && !b.ill[it.Subject]:
				b.t.Errorf("%s %s, and nobody was told that it had begun", it.Event, it.Subject)
			}
			b.ill[it.Subject] = true
		}
		for _, it := range m.Recovered {
			if b.ill[it.Subject] == it.Untold && !b.killed {
				b.t.Errorf("%s is over; untold is %v", it.Subject, it.Untold)
			}
			b.ill[it.Subject] = false
		}
	}
	b.read = len(r.got)
}

// TestReaderKnowsTheTruth: whatever remotes, the receiver and restarts do, every message
// follows from those before it, and when things have settled the reader of all of them
// knows what is wrong and what is not.
func TestReaderKnowsTheTruth(t *testing.T) {
	t.Parallel()
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runModel(t, rand.New(rand.NewPCG(seed, 4))) })
		})
	}
}

func runModel(t *testing.T, rnd *rand.Rand) {
	r := &receiver{}
	o := options(r, filepath.Join(t.TempDir(), "ops.json"))
	o.Rules.After = time.Duration(rnd.IntN(300)) * time.Second
	o.Rules.Repeat = time.Hour
	reader := &belief{t: t, ill: map[string]bool{}}
	kinds := []Kind{"", "", Failing, Retrying, Held, "?"}
	now := make([]Kind, 4)
	sights := func() (list []Sight) {
		for i, k := range now {
			list = append(list, sightOf(fmt.Sprintf("www/r%d", i), k))
		}
		return list
	}
	kills := rnd.IntN(2) == 0
	l := live(t, o)
	for range 60 {
		switch rnd.IntN(8) {
		case 0:
			r.set(false, &Failure{ID: "E-NOTIFY-CONNECT", Message: "refused"})
		case 1:
			r.set(true, nil)
		case 2, 3:
			r.set(false, nil)
		case 4:
			left, err := os.ReadFile(o.StateFile)
			l.end()
			if kills && err == nil { // it had no time for last words
				reader.killed = true
				if err := os.WriteFile(o.StateFile, left, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l = live(t, o)
			l.is(4*time.Second, sightOf("www/r0", "?"), sightOf("www/r1", "?"), sightOf("www/r2", "?"), sightOf("www/r3", "?"))
		default:
			now[rnd.IntN(len(now))] = kinds[rnd.IntN(len(kinds))]
		}
		l.is(time.Duration(2+rnd.IntN(400))*time.Second, sights()...)
		reader.update(r)
	}
	r.set(false, nil)
	for i := range now {
		if now[i] == "?" {
			now[i] = ""
		}
	}
	l.is(3*time.Hour, sights()...)
	reader.update(r)
	l.end()
	for i, k := range now {
		name := fmt.Sprintf("www/r%d", i)
		if reader.ill[name] != (k != "") {
			t.Errorf("%s is %q, and the reader thinks that it is ill: %v", name, k, reader.ill[name])
		}
	}
	if st := l.n.Status(); st.Waiting != 0 || st.State != StateOK && st.Delivered > 0 {
		t.Errorf("%+v", st)
	}
}
