package lagring

import (
	"math/rand/v2"
	"testing"
	"time"
)

func at(step int) time.Time { return time.Unix(1_800_000_000, 0).Add(time.Duration(step) * Every) }

// TestAgainstAList: a ring tells what a list of everything that was noted would.
func TestAgainstAList(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	var r Ring
	noted := map[int]map[string]float64{} // by step
	last, known := 0, map[string]int{}    // since which step without interruption
	for range 3000 {
		last += 1
		if rnd.IntN(20) == 0 {
			last += rnd.IntN(2 * Keep)
		}
		now := map[string]float64{}
		for _, name := range []string{"a/b", "a/c", "d/e"} {
			if rnd.IntN(50) > 0 {
				now[name] = float64(rnd.IntN(1000))
			}
		}
		r.Note(at(last), now)
		noted[last] = now
		for name := range known {
			if _, ok := now[name]; !ok {
				delete(known, name)
			}
		}
		for name := range now {
			if _, ok := known[name]; !ok {
				known[name] = last
			}
		}
		when, all := r.Series()
		if !when.Equal(at(last)) || len(all) != len(known) {
			t.Fatalf("seed %d: at %v with %d names, want %v with %d", seed, when, len(all), at(last), len(known))
		}
		for name, list := range all {
			from := max(known[name], last-Keep+1)
			if len(list) != last-from+1 || len(list) > Keep {
				t.Fatalf("seed %d: %s has %d values, want %d", seed, name, len(list), last-from+1)
			}
			for i, v := range list {
				want, ok := noted[from+i][name]
				if ok != (v != nil) || ok && *v != want {
					t.Fatalf("seed %d: step %d of %s is %v, want %v %v", seed, i, name, v, want, ok)
				}
			}
		}
	}
}

func TestTwiceInAStep(t *testing.T) {
	t.Parallel()
	var r Ring
	r.Note(at(1), map[string]float64{"a/b": 1})
	r.Note(at(1).Add(time.Second), map[string]float64{"a/b": 2.5})
	if _, all := r.Series(); len(all["a/b"]) != 1 || *all["a/b"][0] != 2.5 {
		t.Errorf("%v", all)
	}
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	var r Ring
	r.Note(at(1000), map[string]float64{"a/b": 1})
	r.Note(at(10), map[string]float64{"a/b": 2})
	r.Note(at(11), map[string]float64{"a/b": 3})
	_, all := r.Series()
	if l := all["a/b"]; len(l) != 2 || *l[0] != 2 || *l[1] != 3 {
		t.Errorf("%v", l)
	}
}

// TestEachStepIsNotedOnce: whenever it began, and though looks take up to seconds.
func TestEachStepIsNotedOnce(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		now := time.Unix(1_800_000_000, r.Int64N(int64(time.Minute)))
		for range 10 {
			before := stepOf(now)
			now = now.Add(Wait(now)).Add(time.Duration(r.Int64N(int64(4 * time.Second))))
			if stepOf(now) != before+1 {
				t.Fatalf("from step %d to %d at %v", before, stepOf(now), now)
			}
		}
	}
}
