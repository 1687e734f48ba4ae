package sink

import (
	"context"
	"sync"
	"time"
)

// limiter spaces requests out evenly.
type limiter struct {
	every time.Duration // 0 for no limit

	mu   sync.Mutex
	next time.Time // guarded by mu
}

func newLimiter(perSecond float64) *limiter {
	l := &limiter{}
	if perSecond > 0 {
		l.every = time.Duration(float64(time.Second) / perSecond)
	}
	return l
}

// wait returns when a request may begin, or with the reason why ctx ended.
func (l *limiter) wait(ctx context.Context) error {
	if l.every == 0 {
		return nil
	}
	l.mu.Lock()
	now := time.Now()
	at := l.next
	if at.Before(now) {
		at = now
	}
	l.next = at.Add(l.every)
	l.mu.Unlock()
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
