package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// progressEvery is the pause between two reports of a waiting flush.
const progressEvery = 500 * time.Millisecond

// Flush implements control.Operator. First a fence through the event queue of
// each source says up to which seq everything done before the call is
// journaled; then each remote is waited for.
func (d *Daemon) Flush(ctx context.Context, q control.FlushRequest, progress func(control.FlushProgress)) error {
	readers, byUnit, err := d.flushScope(ctx, q)
	if err != nil {
		return err
	}
	units := make([]*unit, 0, len(readers))
	for _, r := range readers {
		units = append(units, r.unit)
	}
	seqs, err := fences(ctx, units)
	if err != nil {
		return err
	}
	f := &flush{byUnit: byUnit, seqs: seqs, ended: make(chan flushEnd)}
	for _, r := range readers {
		go f.wait(ctx, r)
	}
	return f.collect(readers, progress)
}

// flushed is who is waited for: a remote or a sink.
type flushed struct {
	name    string
	unit    *unit
	waitFor func(ctx context.Context, seq uint64, paths []string) error
	look    func() control.FlushProgress // what is left, and in the way
}

// flushState is the state of one that is waited for.
func flushState(s replicate.Status) control.FlushProgress {
	s.Progress(time.Now())
	p := control.FlushProgress{Left: s.LagEntries, State: s.State, LeftBytes: status.BytesLeft(s), Rate: status.RateNow(s)}
	if s.Error != nil {
		p.ErrorID, p.Message = s.Error.ID, s.Error.Message
	}
	return p
}

// flushScope picks the remotes and sinks to wait for and the paths of each source.
func (d *Daemon) flushScope(ctx context.Context, q control.FlushRequest) ([]flushed, map[*unit][]string, error) {
	if err := d.allStarted(ctx); err != nil {
		return nil, nil, err
	}
	var remotes []flushed
	if len(d.allRemotes()) > 0 || len(q.Remotes) > 0 {
		chosen, err := d.chosen(ctx, q.Remotes)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range chosen {
			remotes = append(remotes, flushed{r.name, r.unit, r.disp.WaitFor, func() control.FlushProgress { return flushState(r.disp.Status()) }})
		}
	}
	if q.Sinks {
		for _, r := range d.allReaders() {
			remotes = append(remotes, flushed{r.name, r.unit, r.sink.WaitFor, func() control.FlushProgress {
				s := r.sink.Status()
				return flushState(replicate.Status{State: s.State, LagEntries: s.LagEntries, Error: s.Error})
			}})
		}
	}
	byUnit, err := d.relative(q.Paths)
	if err != nil {
		return nil, nil, err
	}
	if len(q.Paths) > 0 {
		remotes = slices.DeleteFunc(remotes, func(r flushed) bool { return byUnit[r.unit] == nil })
	}
	if len(remotes) == 0 {
		return nil, nil, &control.Error{Code: control.CodeUsage, Message: "none of the chosen remotes has these paths", Hint: "sinks are waited for with --sinks"}
	}
	for u, paths := range byUnit {
		if slices.Contains(paths, "") {
			byUnit[u] = nil // the root: everything
		}
	}
	return remotes, byUnit, nil
}

// fences asks every source involved at the same time.
func fences(ctx context.Context, units []*unit) (map[*unit]uint64, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	seqs, errs := map[*unit]uint64{}, map[string]error{}
	seen := map[*unit]bool{}
	for _, u := range units {
		if seen[u] {
			continue
		}
		seen[u] = true
		wg.Go(func() {
			seq, err := u.tree.Fence(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs[u.cfg.Name] = fenceError(u, err)
				return
			}
			seqs[u] = seq
		})
	}
	wg.Wait()
	for _, u := range units { // the first in order of the configuration
		if err := errs[u.cfg.Name]; err != nil {
			return nil, err
		}
	}
	return seqs, nil
}

func fenceError(u *unit, err error) error {
	st := u.tree.Status()
	e := &control.Error{Code: control.CodeNotInSync, Err: err,
		Message: fmt.Sprintf("source %s has not journaled everything yet (%s)", u.cfg.Name, st.State)}
	switch {
	case errors.Is(err, watch.ErrHeld):
		e.Code = control.CodeProblem
		e.Message = fmt.Sprintf("source %s is held: %s", u.cfg.Name, st.Held)
		e.Hint = "gorsyncd approve " + u.cfg.Name
	case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled):
		e.Code, e.Message = control.CodeInternal, fmt.Sprintf("source %s: %v", u.cfg.Name, err)
	}
	return e
}

// flush is one wait for several remotes.
type flush struct {
	byUnit map[*unit][]string
	seqs   map[*unit]uint64
	ended  chan flushEnd
}

type flushEnd struct {
	remote string
	err    error
}

func (f *flush) wait(ctx context.Context, r flushed) {
	f.ended <- flushEnd{r.name, r.waitFor(ctx, f.seqs[r.unit], f.byUnit[r.unit])}
}

// collect reports progress until every wait has ended, and names everything
// that was in the way.
func (f *flush) collect(remotes []flushed, progress func(control.FlushProgress)) error {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	open := map[string]flushed{}
	for _, r := range remotes {
		open[r.name] = r
	}
	var blocked []string
	problem := false
	for len(open) > 0 {
		select {
		case <-tick.C:
			for _, r := range remotes {
				if _, waiting := open[r.name]; waiting {
					p := r.look()
					p.Remote, p.Seq = r.name, f.seqs[r.unit]
					progress(p)
				}
			}
		case e := <-f.ended:
			r := open[e.remote]
			delete(open, e.remote)
			p := control.FlushProgress{Done: true}
			if e.err != nil {
				p = r.look()
				p.Left = left(e.err)
			}
			p.Remote, p.Seq = e.remote, f.seqs[r.unit]
			progress(p)
			if e.err != nil {
				blocked = append(blocked, e.err.Error())
				problem = problem || needsPerson(e.err)
			}
		}
	}
	if len(blocked) == 0 {
		return nil
	}
	slices.Sort(blocked)
	err := &control.Error{Code: control.CodeNotInSync, Message: strings.Join(blocked, "\n"),
		Hint: "--remote waits for some remotes only; gorsyncd status shows why"}
	if problem {
		err.Hint = "gorsyncd status shows what each remote needs"
	}
	return err
}

func left(err error) uint64 {
	var b *replicate.BlockedError
	if errors.As(err, &b) {
		return b.Pending
	}
	return 0
}

func needsPerson(err error) bool {
	var b *replicate.BlockedError
	return errors.As(err, &b) && (b.State == replicate.StateHeld || b.State == replicate.StateFailing)
}
