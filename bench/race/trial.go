package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gorsyncd/bench/lab"
)

// trial is one round of one racer in a world of its own: a tree that is equal
// to its copies changes, and the observer waits until it is equal again.
type trial struct {
	setup
	before func(src string) error // the tree at first; nil: empty
	change change
	rest   bool // bytes and processor time count until the racer is at rest
	down   bool // the racer does not run while the tree changes, and starts then

	look func(*runner, *outcome) error // asks the racer something at the end
}

// change changes a tree and tells what copies are to have then.
type change func(src string) (*expectation, error)

// thenRead is a change after which the tree is read. gone are paths that copies
// must lose.
func thenRead(do func(src string) error, gone ...string) change {
	return func(src string) (*expectation, error) {
		if err := do(src); err != nil {
			return nil, err
		}
		return expect(src, gone...)
	}
}

// outcome is what came of it.
type outcome struct {
	arrival
	wire int64         // bytes, until the racer was at rest
	cpu  time.Duration // of the racer and its children, until then
	made time.Duration // the change itself
	all  time.Duration // that all processors computed in the time that counts
	// making is what they computed for the change, with a racer that began afterwards.
	making time.Duration
	wrong  int // paths that the oracle found different at the end

	busy bool // a peer did not come to rest within the limit

	overflows int
	memory    lab.Memory

	died error // of a peer: how it failed
}

// try runs the trial.
func (r *rig) try(p place, rc *racer, t trial) (outcome, error) {
	t.plain = !rc.nodelay
	w, err := r.newWorld(p, t.setup)
	if err != nil {
		return outcome{}, err
	}
	defer w.close()
	if err := t.prepare(w); err != nil {
		return outcome{}, fmt.Errorf("prepare: %w", err)
	}
	return r.perform(w, rc, t)
}

func (t trial) prepare(w *world) error {
	if t.before == nil {
		return nil
	}
	if err := t.before(w.src); err != nil {
		return err
	}
	for _, d := range w.dsts {
		if err := copyTree(w.src, d); err != nil {
			return err
		}
	}
	return nil
}

// perform starts the racer, changes the tree, waits, and has the oracle judge
// while the racer is still there.
func (r *rig) perform(w *world, rc *racer, t trial) (o outcome, err error) {
	var run *runner
	defer func() {
		if run != nil {
			run.stop()
		}
	}()
	if rc.start != nil {
		if run, err = rc.start(r, w, rc); err != nil {
			return o, err
		}
	}
	switch {
	case run == nil:
		o, err = r.performBare(w, rc, t)
	case t.down:
		run.stop()
		o, run, err = r.performDown(w, rc, t)
	default:
		o, err = r.performLive(w, rc, t, run)
	}
	if err == nil {
		err = r.settle(w, rc, &o)
	}
	return o, err
}

func (r *rig) performLive(w *world, rc *racer, t trial, run *runner) (outcome, error) {
	passed := w.passed()
	spent, err := run.cpu()
	if err != nil {
		return outcome{}, err
	}
	begin, before := time.Now(), computed()
	e, err := t.change(w.src)
	if err != nil {
		return outcome{}, err
	}
	made := time.Since(begin)
	o := outcome{arrival: e.wait(w.dsts, begin, r.patienceFor(rc))}
	o.all = computed() - before
	if t.rest || run.g != nil {
		if o.busy, err = r.calm(run); err != nil {
			return o, err
		}
	}
	o.wire, o.made = w.passed()-passed, made
	now, err := run.cpu()
	o.cpu = now - spent
	if err == nil && t.look != nil {
		err = t.look(run, &o)
	}
	return o, err
}

// performDown changes the tree while nothing runs, and starts the racer, which it
// returns. The observer looks on from the moment it starts.
func (r *rig) performDown(w *world, rc *racer, t trial) (outcome, *runner, error) {
	e, err := t.change(w.src)
	if err != nil {
		return outcome{}, nil, err
	}
	arrived := make(chan arrival, 1)
	passed, begin := w.passed(), time.Now()
	go func() { arrived <- e.wait(w.dsts, begin, r.patienceFor(rc)) }()
	run, err := rc.start(r, w, rc)
	if err != nil {
		return outcome{}, nil, err // the observer ends at its limit, by itself
	}
	o := outcome{arrival: <-arrived}
	if t.rest {
		o.busy, err = r.calm(run)
	}
	o.wire = w.passed() - passed
	return o, run, err
}

// performBare changes the tree and copies it then.
func (r *rig) performBare(w *world, rc *racer, t trial) (outcome, error) {
	before := computed()
	e, err := t.change(w.src)
	if err != nil {
		return outcome{}, err
	}
	making := computed() - before
	o, err := r.observeBare(w, rc, e)
	o.making = making
	return o, err
}

// observeBare copies the tree beside an observer, whose time others have to bear,
// too. What counts is when rsync has ended; whether the copy is equal, the oracle
// says.
func (r *rig) observeBare(w *world, rc *racer, e *expectation) (outcome, error) {
	passed, before := w.passed(), computed()
	var ended atomic.Bool
	var observer sync.WaitGroup
	observer.Go(func() { await(e.files, w.dsts, ended.Load) })
	took, err := runBare(w, rc)
	wire := w.passed() - passed
	ended.Store(true)
	observer.Wait()
	if err != nil {
		return outcome{}, err
	}
	return outcome{arrival: arrival{took: took, equal: true}, wire: wire, cpu: w.spent, all: computed() - before}, nil
}

// calm waits until a racer has done its work. Ours says so. Peers have when they
// run no rsync for longer than lsyncd waits between two; one that is still at it
// when the limit is over is not waited for, and busy.
func (r *rig) calm(run *runner) (busy bool, err error) {
	if run.g != nil {
		return false, flush(run.g, 10*time.Minute)
	}
	silence := time.Duration(r.size(100, 1500, 1500)) * time.Millisecond
	last := time.Now()
	for deadline := last.Add(r.o.limit); time.Since(last) < silence; time.Sleep(20 * time.Millisecond) {
		now := time.Now()
		if now.After(deadline) {
			return true, nil
		}
		if run.rsyncs() {
			last = now
		}
	}
	return false, nil
}

// settle has the oracle judge. What gorsyncd did not make equal fails the run at
// its end, and its log is kept; what others did not is a result.
func (r *rig) settle(w *world, rc *racer, o *outcome) error {
	looks := 10
	if !o.equal {
		looks = 3 // it had its time
	}
	wrong, sample, err := judge(w.src, w.dsts, looks)
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	o.wrong = wrong
	if rc.gorsyncd() && (wrong > 0 || !o.equal || o.noDirs) {
		log := filepath.Join(os.TempDir(), fmt.Sprintf("race-failed-%d.log", time.Now().UnixNano()))
		if b, err := os.ReadFile(filepath.Join(w.dir, "gorsyncd.log")); err == nil {
			_ = os.WriteFile(log, b, 0o600) // the failure is told anyway
		}
		r.failures = append(r.failures, fmt.Sprintf("%d wrong, equal %v, times of directories missing %v: %s (log: %s)", wrong, o.equal, o.noDirs, sample, log))
	}
	return nil
}
