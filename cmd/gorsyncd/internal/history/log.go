package history

import (
	"slices"
	"sync"
	"time"
)

// KeepDays is how long anything is remembered.
const KeepDays = 35

const (
	hoursKept  = 7 * 24 // as hours; older ones are added up to days
	maxOutages = 200
	maxRuns    = 100
	// flap joins an outage to one before it that ended so short a time ago.
	flap = time.Minute
	// maxText bounds what others wrote.
	maxText = 200
)

// Stopped is the error id of the time in which gorsyncd did not run.
const Stopped = "stopped"

// Log is the history of one remote. Its methods may be called concurrently.
type Log struct {
	mu      sync.Mutex
	spans   []*span // by time
	current *span   // the one that was used last
	outages []Outage
	runs    []Run
	dirty   bool // something was not saved
}

// span is what happened in one hour, or in one day.
type span struct {
	hour      int64 // since 1970
	hours     int64 // 1 or 24
	delivered uint64
	bytes     uint64
	bins      bins
	max       float64 // seconds
	behind    float64
}

// Outage is a time in which a remote took nothing.
type Outage struct {
	Begin   time.Time `json:"begin"`
	End     time.Time `json:"end,omitzero"` // zero: it lasts
	ErrorID string    `json:"error_id"`
}

// Kinds of runs.
const (
	KindFull   = "full_sync"
	KindVerify = "verify"
)

// Run is a full sync or a verify that came to its end.
type Run struct {
	Kind        string    `json:"kind"`
	Begin       time.Time `json:"begin"`
	End         time.Time `json:"end"`
	Reason      string    `json:"reason,omitempty"`
	Path        string    `json:"path,omitempty"` // printable; only this subtree
	Checksum    bool      `json:"checksum"`
	Complete    bool      `json:"complete"`
	Dirs        uint64    `json:"directories"`
	Paths       uint64    `json:"paths"`
	Differences uint64    `json:"differences"`
	Repaired    uint64    `json:"repaired"`
	Message     string    `json:"message,omitempty"` // why it is not complete
}

// Empty tells whether nothing was ever noted.
func (l *Log) Empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.spans) == 0 && len(l.outages) == 0 && len(l.runs) == 0
}

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// at is the span of a moment; it makes room for it.
func (l *Log) at(t time.Time) *span {
	l.dirty = true
	hour := hourOf(t)
	if s := l.current; s != nil && s.hour <= hour && hour < s.hour+s.hours {
		return s
	}
	i, _ := slices.BinarySearchFunc(l.spans, hour, func(s *span, h int64) int {
		if s.hour+s.hours <= h {
			return -1
		}
		return 1
	})
	if i == len(l.spans) || l.spans[i].hour > hour {
		l.spans = slices.Insert(l.spans, i, &span{hour: hour, hours: 1})
	}
	l.current = l.spans[i]
	l.fold(hour)
	return l.current
}

// fold adds hours that are a week old up to days, and forgets what is older than
// KeepDays.
func (l *Log) fold(now int64) {
	var out []*span
	for _, s := range l.spans {
		day := s.hour / 24 * 24
		switch n := len(out); {
		case s.hour+s.hours <= now-KeepDays*24 || s.hour > now+24 && s != l.current: // also what a wrong clock left
		case s == l.current || s.hours == 24 || day+24 > now-hoursKept:
			out = append(out, s)
		case n > 0 && out[n-1].hour == day && out[n-1].hours == 24:
			out[n-1].add(s)
		default:
			d := &span{hour: day, hours: 24}
			d.add(s)
			out = append(out, d)
		}
	}
	l.spans = out
}

func (s *span) add(o *span) {
	s.delivered += o.delivered
	s.bytes += o.bytes
	for k, n := range o.bins {
		s.bins[k] += n
	}
	s.max, s.behind = max(s.max, o.max), max(s.behind, o.behind)
}

// Delivered notes that a change has arrived that was journaled at since.
func (l *Log) Delivered(at, since time.Time) {
	took := max(0, at.Sub(since))
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.at(at)
	s.delivered++
	s.bins[binOf(took)]++
	s.max = max(s.max, took.Seconds())
	s.behind = max(s.behind, took.Seconds())
}

// Carried notes bytes of files that have arrived.
func (l *Log) Carried(at time.Time, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at(at).bytes += uint64(max(0, bytes))
}

// Behind notes how long the remote is behind.
func (l *Log) Behind(at time.Time, d time.Duration) {
	if d <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.at(at)
	s.behind = max(s.behind, d.Seconds())
}

// Health notes that the remote works, or which error keeps it from that.
func (l *Log) Health(at time.Time, errorID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.outages)
	lasts := n > 0 && l.outages[n-1].End.IsZero()
	switch {
	case errorID == "" && lasts:
		l.outages[n-1].End, l.dirty = later(at, l.outages[n-1].Begin), true
	case errorID != "" && !lasts:
		l.dirty = true
		if n > 0 && l.outages[n-1].ErrorID == errorID && at.Sub(l.outages[n-1].End) < flap {
			l.outages[n-1].End = time.Time{}
			return
		}
		l.outage(Outage{Begin: at.UTC(), ErrorID: short(errorID)})
	}
}

// Down notes a time in which gorsyncd did not run. An outage that was not over
// then is not over now.
func (l *Log) Down(from, to time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := Outage{Begin: from.UTC(), End: later(to, from), ErrorID: Stopped}
	l.dirty = true
	if n := len(l.outages); n > 0 && l.outages[n-1].End.IsZero() {
		lasts := l.outages[n-1]
		l.outages[n-1] = o
		l.outage(lasts)
		return
	}
	l.outage(o)
}

func (l *Log) outage(o Outage) {
	l.outages = append(l.outages, o)
	l.outages = l.outages[max(0, len(l.outages)-maxOutages):]
}

// later is t in UTC, but not before another moment: a clock may be set back.
func later(t, than time.Time) time.Time {
	if t.Before(than) {
		return than.UTC()
	}
	return t.UTC()
}

// Ran notes a run that has ended.
func (l *Log) Ran(r Run) {
	r.Begin, r.End = r.Begin.UTC(), r.End.UTC()
	r.Reason, r.Path, r.Message = short(r.Reason), short(r.Path), short(r.Message)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty = true
	l.runs = append(l.runs, r)
	l.runs = l.runs[max(0, len(l.runs)-maxRuns):]
}

// short cuts a text that others wrote.
func short(s string) string {
	r := []rune(s)
	return string(r[:min(len(r), maxText)])
}
