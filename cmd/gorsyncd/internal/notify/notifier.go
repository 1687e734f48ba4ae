package notify

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Options of a Notifier or a Heart.
type Options struct {
	Name     string // unique
	Kind     string // for the status
	Channel  Channel
	Timeout  time.Duration // of a delivery
	Retry    Retry
	Host     string // in messages
	Language Language
	Logger   *slog.Logger // nil for silence

	Rules     Rules  // of a Notifier
	StateFile string // of a Notifier; "" keeps nothing

	Every    time.Duration // of a Heart
	Flatline bool          // of a Heart: tell also that all is not well
}

const (
	// gap is the time between two messages: robots take 20 in a minute.
	gap = 3 * time.Second
	// saveEvery the state is written when only times have changed.
	saveEvery = time.Minute
	// lastWords is how long a delivery under way may take when Run is to end.
	lastWords = 2 * time.Second
)

// Notifier tells one receiver of trouble.
type Notifier struct {
	o       Options
	courier *courier
	wake    chan struct{}

	mu      sync.Mutex
	view    *View // guarded by mu; not looked at so far
	waiting int   // guarded by mu; items
	busy    bool  // guarded by mu; see Busy

	// Of the goroutine of Run.
	tracker  *Tracker
	out      outbox
	flying   []Item   // under way
	message  *Message // of what could not be delivered, while nothing newer changes it
	now      time.Time
	notSoon  time.Time // no delivery before
	saved    time.Time
	saveFail bool
	changed  bool // since it was saved
}

// New goes on from the state file. One that is damaged is said so in the log, and
// counts as none.
func New(o Options) *Notifier {
	n := &Notifier{o: o, courier: newCourier(&o), wake: make(chan struct{}, 1), tracker: NewTracker(o.Rules)}
	if o.StateFile == "" {
		return n
	}
	s, err := readState(o.StateFile)
	if err != nil {
		n.courier.log.Warn("what was announced is not known: it begins anew", "notifier", o.Name, "error", err)
		return n
	}
	n.tracker.restore(s, time.Now())
	n.out.put(s.Outbox...)
	n.waiting = len(n.out)
	return n
}

// Look takes what was seen. It never blocks.
func (n *Notifier) Look(v View) {
	n.mu.Lock()
	if n.view != nil {
		v.Elapsed += n.view.Elapsed
	}
	n.view = &v
	n.busy = n.busy || slices.ContainsFunc(v.Sights, func(s Sight) bool { return s.Health != Well })
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Busy tells whether something is wrong or was until lately, so that looks are wanted
// more often.
func (n *Notifier) Busy() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.busy || n.waiting > 0
}

// Status returns the present state.
func (n *Notifier) Status() Status {
	s := n.courier.snapshot()
	n.mu.Lock()
	defer n.mu.Unlock()
	s.Waiting = n.waiting
	if s.Waiting > 0 && s.State == StateOK {
		s.State = StatePending
	}
	return s
}

// Run looks and delivers until ctx ends. A delivery under way then has a moment to
// end; what is left is in the state file.
func (n *Notifier) Run(ctx context.Context) error {
	life, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	sent := make(chan result, 1)
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		select {
		case <-ctx.Done():
			n.end(sent, cut)
			return nil
		case <-n.wake:
			n.look()
		case r := <-sent:
			n.landed(r)
		case <-alarm.C:
		}
		if m := n.next(); m != nil {
			go func() {
				wait, failure := n.courier.carry(life, m)
				sent <- result{wait, failure}
			}()
		}
		if n.flying == nil && len(n.out) > 0 && !n.now.IsZero() {
			alarm.Reset(time.Until(n.notSoon))
		}
	}
}

// result is how a delivery ended.
type result struct {
	wait    time.Duration
	failure *Failure
}

// look steps the tracker. What it decides is durable before it is delivered.
func (n *Notifier) look() {
	n.mu.Lock()
	v := n.view
	n.view = nil
	n.mu.Unlock()
	if v == nil {
		return
	}
	n.now = v.Time
	items := n.tracker.Step(*v)
	n.mu.Lock()
	n.busy = !n.tracker.calm()
	n.mu.Unlock()
	if len(items) > 0 {
		n.out.put(items...)
		n.changed = true
		for _, it := range items {
			n.courier.log.Info("notification", "notifier", n.o.Name, "event", string(it.Event), "subject", it.Subject, "kind", string(it.Kind), "error_id", it.ID)
		}
	}
	n.save()
}

// next takes what waits as one message; nil while nothing is to be sent. What an
// earlier process has left waits for the first look, which may know better.
func (n *Notifier) next() *Message {
	if n.now.IsZero() || n.flying != nil || len(n.out) == 0 || time.Now().Before(n.notSoon) {
		n.count()
		return nil
	}
	n.flying, n.out = n.out, nil
	for i := range n.flying {
		n.flying[i] = n.tracker.refresh(n.flying[i])
	}
	n.count()
	m := NewMessage(n.o.Host, n.o.Name, n.o.Language, n.now, n.flying)
	if n.message != nil && m.repeats(n.message) {
		m.ID = n.message.ID
	}
	n.message = &m
	return &m
}

// landed notes the end of a delivery.
func (n *Notifier) landed(r result) {
	if r.failure != nil {
		n.out.back(n.flying)
	} else {
		n.message = nil
	}
	n.flying, n.changed = nil, true
	n.notSoon = time.Now().Add(max(r.wait, gap))
	n.count()
	n.save()
}

func (n *Notifier) count() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting = len(n.out) + len(n.flying)
}

// end waits a moment for a delivery under way.
func (n *Notifier) end(sent <-chan result, cut func()) {
	if n.flying != nil {
		select {
		case r := <-sent:
			n.landed(r)
		case <-time.After(lastWords):
			cut()
			n.landed(<-sent)
		}
	}
	n.changed = true
	n.save()
}

// save writes the state when something was decided or delivered, and otherwise now
// and then, while there is something to remember.
func (n *Notifier) save() {
	if n.o.StateFile == "" || !n.changed && (n.tracker.calm() || time.Since(n.saved) < saveEvery) {
		return
	}
	waiting := append(append([]Item{}, n.flying...), n.out...)
	err := writeState(n.o.StateFile, n.tracker.snapshot(time.Now(), waiting))
	if err != nil && !n.saveFail {
		n.courier.log.Warn("what was announced cannot be written: a restart may announce it again", "notifier", n.o.Name, "error", err)
	}
	n.saveFail = err != nil
	n.changed, n.saved = n.changed && err != nil, time.Now()
}
