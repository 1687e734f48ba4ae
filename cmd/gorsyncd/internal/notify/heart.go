package notify

import (
	"context"
	"sync"
	"time"
)

// stale is how long what was seen counts as what is.
const stale = 2 * time.Minute

// Heart sends heartbeats while all is well.
type Heart struct {
	o       Options
	courier *courier

	mu   sync.Mutex
	beat Beat      // guarded by mu
	age  time.Time // guarded by mu; of beat, zero for none
}

// NewHeart has not seen anything yet, and so is silent.
func NewHeart(o Options) *Heart { return &Heart{o: o, courier: newCourier(&o)} }

// Look takes what was seen. It never blocks.
func (h *Heart) Look(v View) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beat, h.age = v.Beat, time.Now()
}

// present is what is known at this moment.
func (h *Heart) present() Beat {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.age.IsZero():
		return Beat{Starting: true, Why: "nothing is known yet"}
	case time.Since(h.age) > stale:
		return Beat{Why: "the state of the daemon has not been known for a while"}
	}
	return h.beat
}

// Busy tells whether looks are wanted more often.
func (h *Heart) Busy() bool { return !h.present().OK }

// Status returns the present state.
func (h *Heart) Status() Status {
	s, b := h.courier.snapshot(), h.present()
	s.Heartbeat = &HeartbeatStatus{EverySeconds: h.o.Every.Seconds()}
	if !b.OK {
		s.Heartbeat.Withheld = b.Why
	}
	return s
}

// Run sends until ctx ends. A heartbeat that fails is repeated before its next one is
// due; one that was missed is not made up for.
func (h *Heart) Run(ctx context.Context) error {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-alarm.C:
		}
		wait := h.o.Every
		b := h.present()
		switch {
		case b.OK, !b.Starting && h.o.Flatline:
			why := b.Why
			if b.OK {
				why = ""
			}
			m := newBeat(h.o.Host, h.o.Name, h.o.Language, time.Now(), why)
			if again, failure := h.courier.carry(ctx, &m); failure != nil {
				wait = min(h.o.Every, max(again, time.Second))
			}
		default:
			wait = min(h.o.Every, time.Second) // to begin as soon as all is well
		}
		alarm.Reset(wait)
	}
}
