package notify

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Rules say what is told, and when.
type Rules struct {
	On        []Kind
	Recovered bool // also the end
	After     time.Duration
	Repeat    time.Duration // tell again while it lasts; 0 for never
	Grace     time.Duration
}

const (
	// gather is how long what is due waits for others.
	gather = 5 * time.Second
	// longestLook is how much the time between two looks counts at most.
	longestLook = time.Minute
	// forgiving is by how much more slowly trouble is forgiven than counted.
	forgiving = 4
	// maxGrace bounds the doubling of grace, and shortGrace is what doubles of 0.
	maxGrace   = time.Hour
	shortGrace = 5 * time.Second
	// forgotten is how long a key has to be well until its flapping is forgotten.
	forgotten = 24 * time.Hour
)

// trouble is what is remembered of a key. Durations are in the state file.
type trouble struct {
	Key
	Condition Condition     `json:"condition"` // as last seen, with the time it began
	LastSeen  time.Time     `json:"last_seen"`
	Present   bool          `json:"present"` // at the last look at which it could be told
	Debt      time.Duration `json:"debt"`    // counted towards after
	Away      time.Duration `json:"away"`    // without a break
	Lasted    time.Duration `json:"lasted"`  // since it began
	Lived     time.Duration `json:"lived"`   // from then until it was last seen
	Breaks    int           `json:"breaks"`
	Announced bool          `json:"announced"`
	Level     int           `json:"level"` // announced
	Sent      time.Duration `json:"sent"`  // since it was last announced
	Grace     time.Duration `json:"grace"` // longer than that of the rules after relapses; 0: as there
	Dormant   bool          `json:"dormant"`
	// Gone is that its subject is no longer in the looks.
	Gone bool `json:"gone"`

	blind bool // at the last look it could not be told
}

// Tracker decides what is to be told. It is not for use by several goroutines.
type Tracker struct {
	rules     Rules
	on        map[Kind]bool
	all       map[Key]*trouble
	gathering bool
	gathered  time.Duration
	idle      time.Duration // since something was due
}

// NewTracker starts without any memory.
func NewTracker(r Rules) *Tracker {
	t := &Tracker{rules: r, on: map[Kind]bool{}, all: map[Key]*trouble{}}
	for _, k := range r.On {
		t.on[k] = true
	}
	return t
}

// Step takes a look and returns what is to be told now, in the order of keys.
func (t *Tracker) Step(v View) []Item {
	dt := min(max(v.Elapsed, 0), longestLook)
	seen := map[Key]bool{}
	for i := range v.Sights {
		s := &v.Sights[i]
		seen[s.Key] = true
		t.see(s, v.Time, dt)
	}
	for k, tr := range t.all {
		if !seen[k] {
			tr.Gone, tr.blind = true, false
			tr.well(dt)
		}
		if tr.over(t.rules) {
			delete(t.all, k)
		}
	}
	return t.due(v.Time, dt)
}

// see counts one sight.
func (t *Tracker) see(s *Sight, now time.Time, dt time.Duration) {
	tr := t.all[s.Key]
	if tr == nil {
		if s.Health != Ill || !t.on[s.Condition.Kind] {
			return
		}
		tr = &trouble{Key: s.Key, Dormant: true}
		t.all[s.Key] = tr
	}
	tr.Gone, tr.blind = false, s.Health == Unknown
	switch {
	case s.Health == Unknown:
		tr.pass(dt)
	case s.Health == Well:
		tr.well(dt)
	case t.on[s.Condition.Kind]:
		tr.ill(s.Condition, now, dt)
	case !tr.Dormant: // another trouble than those that are told: not well, either
		tr.pass(dt)
		tr.Present, tr.Away, tr.LastSeen, tr.Lived = false, 0, now, tr.Lasted
	}
}

func (tr *trouble) pass(dt time.Duration) {
	tr.Lasted += dt
	tr.Sent += dt
}

func (tr *trouble) ill(c Condition, now time.Time, dt time.Duration) {
	switch {
	case tr.Dormant:
		began := c.Since
		if began.IsZero() {
			began = now
		}
		*tr = trouble{Key: tr.Key, Condition: Condition{Since: began}, Grace: tr.Grace, Lasted: max(0, now.Sub(began))}
		dt = 0 // it may have begun this moment
	case tr.Present:
		tr.Debt += dt
	case tr.Away > 0:
		tr.Breaks++
		// It is back since some moment between the two looks. Without this, what
		// comes and goes as fast as it is looked at would never add up.
		tr.Debt += dt / 2
	}
	tr.pass(dt)
	c.Since = tr.Condition.Since
	tr.Condition, tr.LastSeen, tr.Lived, tr.Present, tr.Away = c, now, tr.Lasted, true, 0
}

func (tr *trouble) well(dt time.Duration) {
	if !tr.Present || tr.Away > 0 {
		tr.Away += dt
	} else {
		tr.Away = 1 // seen for the first time: it may have been well for no time at all
	}
	tr.Present = false
	tr.Debt = max(0, tr.Debt-dt/forgiving)
	tr.pass(dt)
}

// over tells whether nothing is to be remembered.
func (tr *trouble) over(r Rules) bool {
	switch {
	case tr.Announced:
		return false
	case tr.Dormant:
		return tr.Away >= forgotten
	}
	if !tr.Present && tr.Debt == 0 && tr.Away > r.Grace {
		tr.Dormant = true
	}
	return tr.Dormant && tr.Grace == 0
}

// grace is how long it has to be away to be called recovered.
func (tr *trouble) grace(r Rules) time.Duration { return max(r.Grace, tr.Grace) }

// event is what is to be told of it now; "" for nothing.
func (tr *trouble) event(r Rules) Event {
	c := &tr.Condition
	switch {
	case tr.Dormant, tr.blind:
		return ""
	case tr.Announced && !tr.Present && tr.Away >= max(1, tr.grace(r)):
		if tr.Gone {
			return Gone
		}
		return Ended
	case !tr.Present:
		return ""
	case !tr.Announced && (c.AtOnce || tr.Debt >= r.After):
		return Began
	case tr.Announced && c.Kind.level() > tr.Level:
		return Worse
	case tr.Announced && r.Repeat > 0 && tr.Sent >= r.Repeat:
		return Still
	}
	return ""
}

// due gathers and tells.
func (t *Tracker) due(now time.Time, dt time.Duration) []Item {
	found := false
	for _, tr := range t.all {
		if tr.event(t.rules) != "" {
			found = true
			break
		}
	}
	if t.gathering {
		t.gathered += dt
		t.idle += dt
	}
	switch {
	case found && !t.gathering:
		t.gathering, t.gathered = true, 0
		fallthrough
	case found:
		t.idle = 0
	case t.idle > max(t.rules.Grace, time.Minute):
		t.gathering = false
	}
	if !found || t.gathered < gather {
		return nil
	}
	t.gathering = false
	return t.tell(now)
}

func (t *Tracker) tell(now time.Time) []Item {
	keys := slices.SortedFunc(maps.Keys(t.all), func(a, b Key) int {
		if c := strings.Compare(a.Subject, b.Subject); c != 0 {
			return c
		}
		return strings.Compare(a.Aspect, b.Aspect)
	})
	var out []Item
	for _, k := range keys {
		tr := t.all[k]
		e := tr.event(t.rules)
		if e == "" && tr.Announced && tr.Present && !tr.blind && t.rules.Repeat > 0 && tr.Sent >= t.rules.Repeat*3/4 {
			e = Still // goes along with others, so that reminders stay together
		}
		if e == "" {
			continue
		}
		it := tr.item(e)
		if tr.announced(e, t.rules); !it.over() || t.rules.Recovered {
			out = append(out, it)
		}
	}
	return out
}

// announced notes what was told.
func (tr *trouble) announced(e Event, r Rules) {
	tr.Sent = 0
	if e != Ended && e != Gone {
		tr.Announced, tr.Level = true, max(tr.Level, tr.Condition.Kind.level())
		return
	}
	grace := min(maxGrace, 2*max(tr.grace(r), shortGrace))
	*tr = trouble{Key: tr.Key, Grace: max(grace, r.Grace), Dormant: true, Gone: tr.Gone}
}

func (tr *trouble) item(e Event) Item {
	it := Item{Key: tr.Key, Event: e, Condition: tr.Condition, Lasted: tr.Lasted, Interruptions: tr.Breaks}
	if it.over() {
		until := tr.LastSeen
		it.Until, it.Lasted = &until, tr.Lived
	}
	it.LastedSeconds = it.Lasted.Seconds()
	return it
}

// refresh makes an item that has waited say what is true now.
func (t *Tracker) refresh(it Item) Item {
	tr := t.all[it.Key]
	if tr == nil || tr.Dormant || it.over() {
		return it
	}
	fresh := tr.item(it.Event)
	fresh.Untold = it.Untold
	return fresh
}

// calm tells that nothing is wrong or was until lately.
func (t *Tracker) calm() bool {
	for _, tr := range t.all {
		if !tr.Dormant {
			return false
		}
	}
	return true
}
