package daemon

import (
	"context"
	"errors"
	"sync"
	"time"

	"gorsyncd/replicate"
)

// Pauses before a scheduled verify that did not come to its end is tried again.
const (
	verifyAgainFirst = time.Minute
	verifyAgainMost  = time.Hour
)

// verifyRounds starts the verifies that are due. Up to when a schedule has been
// served is in the journal, so that a run that was missed is made up for; it is
// written when the verify is at its end, so that one that was cut is repeated.
type verifyRounds struct {
	wg sync.WaitGroup

	mu      sync.Mutex
	running map[string]bool       // by the full name of the remote
	again   map[string]verifyWait // those that did not come to their end
}

type verifyWait struct {
	until time.Time
	pause time.Duration
}

// round starts what is due now. ctx ends what runs.
func (v *verifyRounds) round(ctx context.Context, d *Daemon, now time.Time) {
	for _, r := range d.allRemotes() {
		schedule := r.cfg.Verify.Schedule
		if schedule == "" || !v.free(r.name, now) {
			continue
		}
		var served time.Time
		err := ask(ctx, func(ctx context.Context) (err error) {
			served, err = r.disp.VerifyScheduled(ctx, now)
			return err
		})
		if err != nil || !due(schedule, served, now) || !v.begin(r.name) {
			continue // without an answer: the next round asks again
		}
		v.wg.Go(func() { v.run(ctx, d, r, now) })
	}
}

// free tells whether a verify of the remote may start.
func (v *verifyRounds) free(name string, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.running[name] && !now.Before(v.again[name].until)
}

func (v *verifyRounds) begin(name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.running[name] {
		return false
	}
	if v.running == nil {
		v.running, v.again = map[string]bool{}, map[string]verifyWait{}
	}
	v.running[name] = true
	return true
}

func (v *verifyRounds) run(ctx context.Context, d *Daemon, r pair, now time.Time) {
	d.log.Info("scheduled verify", "remote", r.name, "checksum", r.cfg.Verify.Checksum, "repair", r.cfg.Verify.Repair)
	_, err := r.disp.Verify(ctx, replicate.VerifyRequest{
		Checksum: r.cfg.Verify.Checksum, Repair: r.cfg.Verify.Repair, Scheduled: now,
	}, replicate.VerifyObserver{})
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.running, r.name)
	if err == nil {
		delete(v.again, r.name)
		return
	}
	w := v.again[r.name]
	w.pause = min(max(2*w.pause, verifyAgainFirst), verifyAgainMost)
	w.until = time.Now().Add(w.pause)
	v.again[r.name] = w
	if ctx.Err() == nil && !errors.Is(err, replicate.ErrStopped) {
		d.log.Warn("scheduled verify is tried again", "remote", r.name, "error", err, "next_retry", w.until)
	}
}
