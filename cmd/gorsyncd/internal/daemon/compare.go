package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

// Verify implements control.Operator. The remotes are compared at the same time:
// none waits for another, and what was read of the source for one is in memory
// for the next.
func (d *Daemon) Verify(ctx context.Context, q control.VerifyRequest, line func(control.VerifyLine)) error {
	parts, err := d.chosenParts(ctx, q.Names, q.Sub)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	tell := func(l control.VerifyLine) {
		mu.Lock()
		defer mu.Unlock()
		line(l)
	}
	for _, r := range parts {
		req := replicate.VerifyRequest{Sub: r.rel, Checksum: q.Checksum, Repair: q.Repair}
		wg.Go(func() { verifyOne(ctx, r.pair, req, tell) })
	}
	wg.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return nil
}

// StartVerify implements control.Operator.
func (d *Daemon) StartVerify(ctx context.Context, q control.VerifyRequest) ([]string, error) {
	parts, err := d.chosenParts(ctx, q.Names, q.Sub)
	if err != nil {
		return nil, err
	}
	for _, r := range parts {
		if v := r.disp.Status().Verify; v != nil && v.Running != nil {
			return nil, &control.Error{Code: control.CodeBusy, Message: fmt.Sprintf("%s: %v", r.name, replicate.ErrVerifying), Hint: "wait for it: gorsyncd status shows how far it is"}
		}
		if excluded(r.pair, r.rel) {
			return nil, &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("%s: the path is excluded", r.name)}
		}
	}
	started := make([]string, 0, len(parts))
	for _, r := range parts {
		req := replicate.VerifyRequest{Sub: r.rel, Checksum: q.Checksum, Repair: q.Repair}
		d.asked.Go(func() { verifyOne(d.soft, r.pair, req, func(l control.VerifyLine) { d.sayVerified(l) }) })
		started = append(started, r.name)
	}
	return started, nil
}

// sayVerified logs why a verify that nobody waits for has not compared everything; what
// it came to otherwise is logged where it runs.
func (d *Daemon) sayVerified(l control.VerifyLine) {
	if l.Event == control.EventResult && l.Result != nil && !l.Result.Compared {
		d.log.Warn("a verify did not come to its end", "remote", l.Remote, "error_id", l.Result.ErrorID, "message", l.Result.Message)
	}
}

// verifyOne compares one remote and tells what there is to tell, the result
// last.
func verifyOne(ctx context.Context, r pair, req replicate.VerifyRequest, tell func(control.VerifyLine)) {
	line := func(event string) control.VerifyLine { return control.VerifyLine{Remote: r.name, Event: event} }
	end := func(res replicate.VerifyResult, err error) {
		l := line(control.EventResult)
		l.Result = verifyResult(res, err)
		p := names.NewPath(req.Sub)
		l.Path = &p
		tell(l)
	}
	if excluded(r, req.Sub) {
		end(replicate.VerifyResult{}, &control.Error{Code: control.CodeNotInSync, Message: r.name + " could not be compared: the path is excluded"})
		return
	}
	var told time.Time
	end(r.disp.Verify(ctx, req, replicate.VerifyObserver{
		Difference: func(f replicate.Difference) {
			l := line(control.EventDifference)
			if f.Allowed {
				l.Event = control.EventAllowed
			}
			p := names.NewPath(f.Path)
			l.Path, l.Kinds, l.Below, l.Repair = &p, f.Kinds, f.Below, f.Repair
			tell(l)
		},
		Progress: func(p replicate.VerifyProgress) {
			if now := time.Now(); now.Sub(told) >= progressEvery {
				told = now
				l := line(control.EventProgress)
				l.Progress = &p
				tell(l)
			}
		},
	}))
}

// excluded tells whether the filter of a remote leaves out a path.
func excluded(r pair, rel string) bool {
	if rel == "" {
		return false
	}
	fi, err := os.Lstat(filepath.Join(r.unit.cfg.Path, rel))
	return r.cfg.Filter.Match(rel, err == nil && fi.IsDir()).Excluded
}

func verifyResult(res replicate.VerifyResult, err error) *control.VerifyResult {
	if res.Kinds == nil {
		res.Kinds = map[replicate.DiffKind]uint64{}
	}
	out := &control.VerifyResult{VerifyResult: res, Compared: err == nil && res.Unread == 0}
	var why *replicate.NotComparedError
	var known *control.Error
	switch {
	case errors.As(err, &why):
		out.Code, out.ErrorID, out.Hint = control.CodeNotInSync, why.ID, why.Hint
		if why.Problem {
			out.Code = control.CodeProblem
		}
	case errors.Is(err, replicate.ErrVerifying):
		out.Code, out.Hint = control.CodeBusy, "wait for it: gorsyncd status shows how far it is"
	case errors.As(err, &known):
		out.Code = known.Code
	case err != nil:
		out.Code = control.CodeInternal
	case res.Unread > 0:
		out.Code, out.Hint = control.CodeProblem, "the log of the daemon names them"
		out.Message = fmt.Sprintf("%d directories could not be compared", res.Unread)
	case res.Failing > 0:
		out.Code, out.Hint = control.CodeProblem, "gorsyncd journal inspect --state failing"
	}
	if err != nil {
		out.Message = err.Error()
	}
	return out
}
