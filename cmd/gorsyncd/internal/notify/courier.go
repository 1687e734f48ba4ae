package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Channel delivers messages to one receiver.
type Channel interface {
	// Send delivers once, within the deadline of ctx. The answer is of no meaning when
	// it failed.
	Send(ctx context.Context, m *Message) (Answer, *Failure)
	// String says who the receiver is, without secrets.
	String() string
}

// Answer is what a receiver said, fit to be shown.
type Answer struct {
	Text    string
	Warning string // what did not go well all the same; "" for nothing
}

// Failure is why a delivery failed. It holds no secrets.
type Failure struct {
	ID      string
	Message string
	Hint    string
	Person  bool          // it will not heal by itself
	After   time.Duration // how long the receiver asks to be left alone
}

func (f *Failure) Error() string { return f.ID + " " + f.Message }

// Retry is how failed deliveries are repeated.
type Retry struct {
	Initial, Max time.Duration
	Jitter       float64
}

// longestAfter bounds what a receiver may ask for.
const longestAfter = time.Hour

// courier carries messages to a channel, and remembers how that went.
type courier struct {
	name, kind string
	channel    Channel
	timeout    time.Duration
	retry      Retry
	log        *slog.Logger

	mu     sync.Mutex
	status Status                      // guarded by mu
	again  *backoff.ExponentialBackOff // guarded by mu
}

func newCourier(o *Options) *courier {
	c := &courier{name: o.Name, kind: o.Kind, channel: o.Channel, timeout: o.Timeout, retry: o.Retry, log: o.Logger}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.status = Status{Name: o.Name, Kind: o.Kind, Target: o.Channel.String(), State: StatePending}
	c.again = backoff.NewExponentialBackOff(backoff.WithInitialInterval(c.retry.Initial), backoff.WithMaxInterval(c.retry.Max),
		backoff.WithRandomizationFactor(c.retry.Jitter), backoff.WithMultiplier(2), backoff.WithMaxElapsedTime(0))
	return c
}

// carry delivers once. It returns how long to wait before the next attempt, 0 after a
// success. A delivery that ends because of ctx is no failure of the receiver.
func (c *courier) carry(ctx context.Context, m *Message) (time.Duration, *Failure) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answer, failure := c.channel.Send(limited, m)
	if failure != nil && ctx.Err() != nil {
		return 0, failure
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Attempts++
	if failure == nil {
		if answer.Warning != "" {
			c.log.Warn("a notification was not delivered to everybody", "notifier", c.name, "error", answer.Warning)
		}
		c.succeeded()
		return 0, nil
	}
	return c.failed(failure), failure
}

// succeeded is called with mu held.
func (c *courier) succeeded() {
	now := time.Now().UTC()
	s := &c.status
	if s.Failures > 0 {
		c.log.Info("notifications are delivered again", "notifier", c.name, "failures", s.Failures)
	}
	s.State, s.LastSuccess, s.LastError, s.ErrorID, s.Hint, s.Failures, s.NextRetry = StateOK, &now, "", "", "", 0, nil
	s.Delivered++
	c.again.Reset()
}

// failed is called with mu held.
func (c *courier) failed(f *Failure) time.Duration {
	wait := c.again.NextBackOff()
	if f.Person {
		wait = c.retry.Max
	}
	wait = max(wait, min(f.After, longestAfter))
	next := time.Now().Add(wait).UTC()
	s := &c.status
	s.State, s.LastError, s.ErrorID, s.Hint, s.NextRetry = StateFailing, f.Message, f.ID, f.Hint, &next
	s.Failures++
	if s.Failures&(s.Failures-1) == 0 { // the first, second, fourth … in a row
		c.log.Warn("a notification could not be delivered", "notifier", c.name, "kind", c.kind, "error_id", f.ID, "error", f.Message,
			"hint", f.Hint, "failures", s.Failures, "next_seconds", wait.Seconds())
	}
	return wait
}

func (c *courier) snapshot() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}
