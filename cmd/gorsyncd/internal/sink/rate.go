package sink

import (
	"context"
	"sync"
	"time"
)

// rate spaces requests out evenly.
type rate struct {
	mu   sync.Mutex
	next time.Time // guarded by mu
}

// wait returns when a request may begin, of so many in a second, 0 for any number; or
// with the reason why ctx ended.
func (r *rate) wait(ctx context.Context, perSecond float64) error {
	if perSecond <= 0 {
		return nil
	}
	r.mu.Lock()
	at := time.Now()
	if at.Before(r.next) {
		at = r.next
	}
	r.next = at.Add(time.Duration(float64(time.Second) / perSecond))
	r.mu.Unlock()
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
