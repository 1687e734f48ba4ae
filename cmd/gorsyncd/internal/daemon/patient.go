package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"gorsyncd/journal"
)

// spacePoll is the pause between two attempts to write to a full disk.
const spacePoll = time.Second

// patience waits while the journal refuses writes for lack of space. Nothing is
// lost meanwhile: what is not journaled is not forgotten by the tree, and an
// acknowledgement that cannot be written is repeated or costs a second
// transfer. Ending the process instead would only make it start and end again.
type patience struct {
	log  *slog.Logger
	full atomic.Pointer[string] // why the journal is waiting; nil when it is not
}

// reason is shown in the status; "" when nothing waits.
func (p *patience) reason() string {
	if s := p.full.Load(); s != nil {
		return *s
	}
	return ""
}

// until calls write until it does not fail for lack of space, or ctx ends.
func (p *patience) until(ctx context.Context, write func() error) error {
	for {
		err := write()
		if !errors.Is(err, journal.ErrNoSpace) {
			if p.full.Swap(nil) != nil {
				p.log.Info("the journal has space again")
			}
			return err
		}
		text := err.Error()
		if p.full.Swap(&text) == nil {
			p.log.Error("the journal waits for space", "error", err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(spacePoll):
		}
	}
}

// patientSource is a source for the watcher that waits for space.
type patientSource struct {
	*journal.Source
	p *patience
}

// Record implements watch.Index. What was recorded before the space ran out is
// not recorded again.
func (s patientSource) Record(ctx context.Context, obs []journal.Observation) ([]journal.Result, error) {
	results := make([]journal.Result, 0, len(obs))
	err := s.p.until(ctx, func() error {
		done, err := s.Source.Record(ctx, obs[len(results):])
		results = append(results, done...)
		return err
	})
	return results, err
}

// SetRoot implements watch.Roots.
func (s patientSource) SetRoot(ctx context.Context, id journal.RootID) error {
	return s.p.until(ctx, func() error { return s.Source.SetRoot(ctx, id) })
}

// EndBaseline implements watch.Roots.
func (s patientSource) EndBaseline(ctx context.Context) error {
	return s.p.until(ctx, func() error { return s.Source.EndBaseline(ctx) })
}

// patientRemote is a remote's store that waits for space.
type patientRemote struct {
	*journal.Remote
	p *patience
}

// Commit implements replicate.Store.
func (r patientRemote) Commit(ctx context.Context, u journal.Update) error {
	return r.p.until(ctx, func() error { return r.Remote.Commit(ctx, u) })
}
