// Package lagring remembers how far remotes and sinks were behind, for a while and in
// memory.
//
// # Properties
//
//   - A Ring has one value for each name and each step of time. Where nothing was noted
//     in a step, as while the machine slept, there is none: it is not guessed.
//   - What it takes is bounded by the number of names: 4 bytes for each value. A name
//     that is no longer among those that are noted is forgotten.
//   - A clock that is set back ends nothing: what lies in the future then is dropped.
//   - All methods may be called concurrently.
package lagring

import (
	"math"
	"sync"
	"time"
)

// Every is the time between two values, Keep how many of them there are: an hour.
const (
	Every = 10 * time.Second
	Keep  = 360
)

// Ring holds the values of the last Keep steps. The zero value is ready.
type Ring struct {
	mu     sync.Mutex
	last   int64             // the step that was noted last
	series map[string]*lapse // by name
}

// lapse is the values of one name.
type lapse struct {
	first  int64 // the step that was noted first
	values [Keep]float32
}

// none stands for no value.
var none = float32(math.NaN())

func stepOf(t time.Time) int64 { return t.UnixNano() / int64(Every) }

// Wait is how long to wait until the middle of the next step: what is noted there is
// noted in each step once, also when it comes a little late, or the clock is slewed.
func Wait(now time.Time) time.Duration {
	middle := (stepOf(now)+1)*int64(Every) + int64(Every/2)
	return time.Duration(middle - now.UnixNano())
}

func slot(step int64) int { return int(((step % Keep) + Keep) % Keep) }

// Note takes in how many seconds each name is behind now. Names that are not in it are
// forgotten.
func (r *Ring) Note(now time.Time, seconds map[string]float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	step := stepOf(now)
	if r.series == nil {
		r.series = map[string]*lapse{}
	}
	if step < r.last { // the clock was set back: nothing says what is how old
		clear(r.series)
	}
	for name := range r.series {
		if _, ok := seconds[name]; !ok {
			delete(r.series, name)
		}
	}
	for name, s := range seconds {
		l := r.series[name]
		if l == nil {
			l = &lapse{first: step}
			r.series[name] = l
		}
		for missed := max(r.last+1, l.first, step-Keep+1); missed < step; missed++ {
			l.values[slot(missed)] = none
		}
		l.values[slot(step)] = float32(s)
	}
	r.last = step
}

// Series returns the values of each name, the oldest first and all up to the last
// step that was noted; nil where there is none.
func (r *Ring) Series() (at time.Time, series map[string][]*float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string][]*float64, len(r.series))
	for name, l := range r.series {
		from := max(l.first, r.last-Keep+1)
		list := make([]*float64, 0, r.last-from+1)
		for step := from; step <= r.last; step++ {
			list = append(list, value(l.values[slot(step)]))
		}
		out[name] = list
	}
	return time.Unix(0, r.last*int64(Every)).UTC(), out
}

func value(v float32) *float64 {
	if v != v {
		return nil
	}
	f := math.Round(float64(v)*1000) / 1000
	return &f
}
