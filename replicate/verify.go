package replicate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorsyncd/journal"
)

// ErrVerifying is returned by Verify while another one of the remote runs.
var ErrVerifying = errors.New("a verify of this remote is under way")

// NotComparedError says why a remote could not be compared with its source.
type NotComparedError struct {
	Remote  string // source/name
	ID      string // error id, "" when it is no error
	Reason  string
	Hint    string
	Problem bool  // a person is needed
	Cause   error // a context's error, ErrStopped, or nil
}

func (e *NotComparedError) Error() string {
	s := e.Reason
	if e.ID != "" {
		s = e.ID + " " + s
	}
	return e.Remote + " could not be compared: " + s
}

func (e *NotComparedError) Unwrap() error { return e.Cause }

// VerifyRequest asks for a comparison of a remote with its source.
type VerifyRequest struct {
	Sub      string // only this path with all below it; "" for everything
	Checksum bool   // compare content
	Repair   bool   // journal the repair of what differs
	// Scheduled says which moment of a schedule this serves; zero for none. It
	// is kept when the verify comes to its end.
	Scheduled time.Time
}

// Difference is one path at which a remote differs from the source.
type Difference struct {
	Path  string // "" is the root
	Kinds []DiffKind
	Below uint64 // what only the remote has: paths in it
	// Allowed says that it is none to be repaired: a stranger, or a leftover,
	// where only what the source lost is removed, or attributes that go with a
	// later change.
	Allowed bool
	Repair  Repair
}

// Repair says what is done about a difference.
type Repair string

const (
	RepairNone     Repair = ""
	RepairQueued   Repair = "queued"    // journaled, in the retry set
	RepairFullSync Repair = "full_sync" // by a full sync that is journaled at the end
)

// VerifyObserver is told what a verify finds, from one goroutine. Both functions
// may take their time.
type VerifyObserver struct {
	Difference func(Difference)
	Progress   func(VerifyProgress)
}

// VerifyProgress is how far a verify has come.
type VerifyProgress struct {
	Dirs        uint64 `json:"directories"`
	TotalDirs   uint64 `json:"directories_total"`
	Paths       uint64 `json:"paths"`
	Differences uint64 `json:"differences"`
	Settling    int    `json:"settling"` // paths that seem to differ and are looked at again
}

// VerifyResult is what a verify came to.
type VerifyResult struct {
	Started     time.Time           `json:"started"`
	Ended       time.Time           `json:"ended"`
	Path        string              `json:"-"` // the subtree; "" for everything
	Checksum    bool                `json:"checksum"`
	Complete    bool                `json:"complete"` // everything was compared
	Dirs        uint64              `json:"directories"`
	Paths       uint64              `json:"paths"`
	Differences uint64              `json:"differences"` // paths
	Kinds       map[DiffKind]uint64 `json:"by_kind"`     // of the differences; a path can have several
	Strangers   uint64              `json:"strangers"`   // allowed
	Leftovers   uint64              `json:"leftovers"`   // allowed
	Attributes  uint64              `json:"attributes"`  // paths whose attributes alone differ and go with a later change: allowed
	Pending     uint64              `json:"pending"`     // paths whose changes are on their way, and were not judged
	Failing     uint64              `json:"failing"`     // the same, but in the retry set, and failing
	Unread      uint64              `json:"unread"`      // directories that could not be compared
	Repaired    uint64              `json:"repaired"`    // of Differences, those whose repair is journaled
	Message     string              `json:"message,omitempty"`
}

// Verify compares the remote with the source without changing it, and tells
// where they differ. What is still on its way to the remote is no difference; a
// path counts only if it differs twice, while the journal has nothing newer for
// it, nothing is sent that touches it, and the source stays as it is. Transfers
// go on meanwhile. With Repair what differs is journaled to be sent again; the
// removal guard stays in force.
//
// The result is as far as the verify came. The error is a *NotComparedError
// when that was not to its end, ErrVerifying, or the journal's.
func (d *Dispatcher) Verify(ctx context.Context, r VerifyRequest, on VerifyObserver) (VerifyResult, error) {
	if !d.verifies.TryLock() {
		return VerifyResult{}, ErrVerifying
	}
	defer d.verifies.Unlock()
	d.verifying.Store(&VerifyProgress{})
	defer d.verifying.Store(nil)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A remote that stops takes its rsyncs with it.
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-d.drain:
		case <-d.ending:
		case <-stop:
		}
		cancel(ErrStopped)
	}()
	v := &verify{d: d, r: r, on: on, pool: map[string]*candidate{}, extras: true, patience: d.o.verifyPatience,
		res: VerifyResult{Started: time.Now(), Path: r.Sub, Checksum: r.Checksum, Kinds: map[DiffKind]uint64{}}}
	if v.patience == 0 {
		v.patience = verifyPatience
	}
	err := v.run(ctx)
	if err == nil {
		err = v.finishRepair(ctx)
	}
	v.res.Ended = time.Now()
	v.res.Complete = err == nil && v.res.Unread == 0
	if err != nil {
		err = v.explain(ctx, err)
		v.res.Message = err.Error()
	}
	if kerr := d.keepVerify(r, v.res); kerr != nil && err == nil {
		err = kerr
	}
	v.log(err)
	d.tellVerify(v.res)
	return v.res, err
}

// explain says why a verify did not come to its end.
func (v *verify) explain(ctx context.Context, err error) error {
	var known *NotComparedError
	if errors.As(err, &known) {
		return known
	}
	e := &NotComparedError{Remote: v.d.o.Source + "/" + v.d.o.Name, Reason: err.Error()}
	switch cause := context.Cause(ctx); {
	case errors.Is(err, errSource):
		e.ID, e.Hint, e.Problem = "E-SOURCE", "mount or restore the source root", true
	case errors.Is(cause, ErrStopped), errors.Is(err, ErrStopped):
		e.Cause, e.Reason = ErrStopped, "the remote was stopped"
	case errors.Is(cause, context.DeadlineExceeded):
		e.Cause, e.Reason = cause, "it was not done in time"
	case cause != nil:
		e.Cause, e.Reason = cause, "interrupted"
	default:
		return err // the journal's
	}
	return e
}

// refusal says what keeps a remote from being compared at all; nil for nothing.
func (d *Dispatcher) refusal(ctx context.Context) error {
	e := &NotComparedError{Remote: d.o.Source + "/" + d.o.Name}
	err := d.do(ctx, func() {
		switch {
		case d.sourceHeld():
			e.Problem, e.Reason, e.Hint = true, "a guard holds the source", "gorsyncd approve "+d.o.Source
		case d.state.Held != "":
			e.Problem, e.Reason, e.Hint = true, "held: "+d.state.Held, "gorsyncd approve "+e.Remote
		case d.state.Paused:
			e.Reason, e.Hint = "paused", "gorsyncd resume "+e.Remote
			if d.state.PauseReason != "" {
				e.Reason += ": " + d.state.PauseReason
			}
		case !d.scanned():
			e.Reason = "the first scan of the source is not done yet"
		}
	})
	if err != nil || e.Reason == "" {
		return err
	}
	return e
}

// progress tells observers and the status how far it is.
func (v *verify) progress() {
	p := VerifyProgress{Dirs: v.res.Dirs, TotalDirs: max(v.total, v.res.Dirs), Paths: v.res.Paths,
		Differences: v.res.Differences, Settling: len(v.pool)}
	v.d.verifying.Store(&p)
	if v.on.Progress != nil {
		v.on.Progress(p)
	}
}

// loggedDifferences is how many differences of one verify have a line of the
// log of their own.
const loggedDifferences = 100

// report counts a difference and tells of it.
func (v *verify) report(f Difference) {
	switch {
	case !f.Allowed:
		v.res.Differences++
		for _, k := range f.Kinds {
			v.res.Kinds[k]++
		}
		if f.Repair == RepairQueued {
			v.res.Repaired++
		}
		if v.res.Differences <= loggedDifferences {
			v.d.log.Warn("differs from the source", "error_id", idDiverged, "path", f.Path, "kinds", fmt.Sprint(f.Kinds),
				"below", f.Below, "repair", string(f.Repair))
		}
	case f.Kinds[0] == DiffLeftover:
		v.res.Leftovers++
	case f.Kinds[0] == DiffStranger:
		v.res.Strangers++
	default:
		v.res.Attributes++
	}
	if v.on.Difference != nil {
		v.on.Difference(f)
	}
}

func (v *verify) log(err error) {
	r := v.res
	args := []any{"path", r.Path, "checksum", r.Checksum, "directories", r.Dirs, "paths", r.Paths, "differences", r.Differences,
		"repaired", r.Repaired, "pending", r.Pending, "failing", r.Failing, "unread", r.Unread, "strangers", r.Strangers,
		"leftovers", r.Leftovers, "attributes", r.Attributes, "duration_seconds", r.Ended.Sub(r.Started).Seconds()}
	if over := r.Differences; over > loggedDifferences {
		args = append(args, "not_logged", over-loggedDifferences)
	}
	switch {
	case err != nil:
		v.d.log.Warn("verify ended early", append(args, "error", err)...)
	case r.Differences > r.Repaired:
		v.d.log.Error("verify found differences", append(args, "error_id", idDiverged)...)
	default:
		v.d.log.Info("verified", args...)
	}
}

// keepVerify makes a result durable. It goes on when the caller is gone: what
// was found was found.
func (d *Dispatcher) keepVerify(r VerifyRequest, res VerifyResult) error {
	ctx, cancel := context.WithTimeout(context.Background(), finishTime)
	defer cancel()
	err := d.persist(ctx, func() {
		d.state.Verify = nextVerify(d.state.Verify, r, res)
		d.update.state = true
	})
	if errors.Is(err, ErrStopped) || errors.Is(err, context.DeadlineExceeded) {
		return nil // the next one finds it again
	}
	return err
}

// nextVerify is what is kept after a verify. One that saw only a part says
// nothing about the rest.
func nextVerify(was journal.VerifyState, r VerifyRequest, res VerifyResult) journal.VerifyState {
	left := res.Differences - min(res.Differences, res.Repaired)
	s := was
	whole := res.Complete && res.Path == "" && (res.Checksum || !was.DivergedSum)
	switch {
	case whole:
		s.Diverged, s.DivergedSum, s.DivergedAt = left, false, time.Time{}
	case left > was.Diverged:
		s.Diverged = left
	}
	if left > 0 {
		s.DivergedSum, s.DivergedAt = s.DivergedSum || res.Checksum, res.Ended
	}
	if res.Complete || res.Differences > 0 {
		s.Started, s.Ended, s.Sub, s.Checksum, s.Complete = res.Started, res.Ended, res.Path, res.Checksum, res.Complete
		s.Dirs, s.Paths, s.Found, s.Repaired = res.Dirs, res.Paths, res.Differences, res.Repaired
	}
	if res.Message == "" && r.Scheduled.After(s.Scheduled) {
		s.Scheduled = r.Scheduled
	}
	return s
}

// healed is what is kept of a verify after a full sync: one of everything, with
// content if that may be what differs, that began after the differences were
// found has repaired them.
func healed(s journal.VerifyState, full journal.FullSync) journal.VerifyState {
	if full.Sub == "" && full.Started.After(s.DivergedAt) && (full.Checksum || !s.DivergedSum) {
		s.Diverged, s.DivergedSum, s.DivergedAt = 0, false, time.Time{}
	}
	return s
}

// VerifyScheduled returns up to when a schedule of verifies has been served.
// Where none has been served yet it begins now.
func (d *Dispatcher) VerifyScheduled(ctx context.Context, now time.Time) (time.Time, error) {
	var at time.Time
	err := d.do(ctx, func() {
		s := &d.state.Verify
		if s.Scheduled.IsZero() || s.Scheduled.After(now) { // the clock was set back
			s.Scheduled, d.update.state = now, true
		}
		at = s.Scheduled
	})
	return at, err
}
