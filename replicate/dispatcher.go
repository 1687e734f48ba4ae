package replicate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gorsyncd/journal"
)

const (
	// tick is the slow beat behind every wake-up: a lost one costs a second.
	tick = time.Second
	// idleTick is the same where there is nothing to do: hundreds of remotes that
	// rest must not keep a machine awake.
	idleTick = 30 * time.Second
)

// finishTime is how long the last acknowledgements may take once Run is to end.
const finishTime = 5 * time.Second

// ErrStopped is returned by calls on a Dispatcher whose Run has ended.
var ErrStopped = errors.New("remote is not running")

// Dispatcher keeps one remote equal to its source. Run owns all state; every
// other method may be called from any goroutine.
type Dispatcher struct {
	o   Options
	log *slog.Logger
	tr  transport

	calls    chan func()
	nudges   chan struct{} // capacity 1
	started  chan struct{} // closed when Run has loaded its state
	ending   chan struct{} // closed when Run answers no more
	stopped  chan struct{} // closed when Run has ended
	drain    chan struct{}
	draining atomic.Bool
	running  atomic.Bool
	last     atomic.Pointer[snapshot]
	bare     atomic.Pointer[bare] // what is left out of rsync's arguments

	verifying atomic.Pointer[VerifyProgress] // nil when no Verify runs
	verifies  sync.Mutex                     // held by Verify

	// All below belongs to the goroutine of Run.
	state    journal.RemoteState
	ledger   ledger
	seen     seen
	ahead    ahead
	queue    *queue
	retries  *retrySet
	locks    Locks
	guard    *guard
	breaker  breaker
	probe    probing
	full     *fullSync // nil when none is needed
	flights  map[uint64]*Batch
	turning  turning
	standing standing
	reports  chan report
	update   changes
	commits  chan error
	waiters  []*waiter
	again    bool // something came up that needs no event to go on
	// maxCovered bounds batches of removals whose parent is gone, too.
	maxCovered  int
	tidy        leftBehind
	unstamped   unstamped
	stampedAt   time.Time // when the last run began that is for stamps alone
	moves       moves
	stream      stream
	gatherFrom  time.Time     // since when changes wait for more of them; zero for not
	gatherUntil time.Time     // until when; zero for not
	runTime     time.Duration // of a run of live changes, about
	shortFiles  int           // of a list, so that a run does not take long
	maxFiles    int           // shrinks when batches run out of space, grows with success
	maxRetry    int           // the same for the retry set, when nothing tells which path fails
	liveRuns    int           // live batches started since the last chunk
	retried     bool          // the last batch was of the retry set
	batches     uint64
	quickest    time.Duration // what a run has taken at least, connection included; 0 for not known
	rate        int64         // the bandwidth limit that was last seen in force
	stats       counters
	completed   cursorState
	lookout     *lookout // of a verify, or nil
}

// report is what a worker brings back.
type report struct {
	batch *Batch
	res   Result
	// verify is what a second look found still different; nil when there was
	// none. It did not change anything.
	verify *Result
	// unknown are paths a reconcile made that the index does not know.
	unknown []string
	moved   bool  // a directory of a chunk was not there all the time
	err     error // of the index: the journal's trouble
}

// New checks the options. Nothing is started or read before Run.
func New(o Options) (*Dispatcher, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("remote %s/%s: %w", o.Source, o.Name, err)
	}
	d := &Dispatcher{
		o: o, log: o.Logger.With("source", o.Source, "remote", o.Name), tr: o.transport,
		calls: make(chan func()), nudges: make(chan struct{}, 1), started: make(chan struct{}), stopped: make(chan struct{}), ending: make(chan struct{}), drain: make(chan struct{}),
		flights: map[uint64]*Batch{}, turning: turning{}, reports: make(chan report, o.Workers), commits: make(chan error, 1),
		queue: newQueue(), guard: newGuard(o.MaxDelete), shortFiles: o.BatchFiles, maxFiles: o.BatchFiles, maxRetry: o.BatchFiles, maxCovered: o.BatchFiles,
	}
	if d.tr == nil {
		d.tr = newRsyncTransport(&d.o)
	}
	return d, nil
}

// Run replicates until ctx ends (it returns ctx's error, having killed what
// was under way), until Drain (nil), or until the journal fails (its error).
// It may be called once.
func (d *Dispatcher) Run(ctx context.Context) error {
	if !d.running.CompareAndSwap(false, true) {
		return errors.New("run remote: called twice")
	}
	defer close(d.stopped)
	defer d.o.Life.Done()
	if err := d.load(); err != nil {
		return fmt.Errorf("load remote %s/%s: %w", d.o.Source, d.o.Name, err)
	}
	d.snapshot() // for those who ask while the first look at the source hangs
	close(d.started)
	work, cut := context.WithCancel(ctx)
	// Not ctx: an acknowledgement that is half way is worth its fsync.
	keep, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	err := d.loop(ctx, work, keep)
	d.o.Life.Done() // what is left has its own limits
	cut()
	err = errors.Join(err, d.finish(keep, giveUp))
	d.snapshot()
	close(d.ending)
	d.verifies.Lock() // one that is under way ends, and its rsyncs with it
	d.tr.Close()
	d.verifies.Unlock()
	return err
}

func (d *Dispatcher) load() error {
	recs, err := d.o.Store.Retries()
	if err != nil {
		return err
	}
	clampNext(recs, time.Now(), d.o.Retry.longest())
	d.retries = newRetrySet(recs)
	d.retries.loadOwed()
	d.state = d.o.Store.State()
	cur := d.o.Store.Cursor()
	d.ledger.read, d.seen.start = cur.Low, cur.Low
	d.completed.load(cur)
	if fs := d.o.Store.FullSync(); fs != nil {
		d.full = newFullSync(*fs)
	}
	if CutShort(d.o.RunLock) {
		d.tidy.uncleanStart(d.o.Feed.Head(), recs)
		d.restamp("", time.Now())
	}
	d.rate = d.o.Rsync.BWLimit.At(time.Now())
	d.beginMoves(time.Now())
	d.loadProbe(os.Geteuid() == 0, time.Now())
	return nil
}

// loop is the actor until its end. work is the context of rsync, keep that of
// commits.
func (d *Dispatcher) loop(ctx, work, keep context.Context) error {
	timer := time.NewTimer(tick)
	defer timer.Stop()
	ready, drain := d.o.Ready, (<-chan struct{})(d.drain)
	for {
		d.o.Life.Round()
		changed := d.o.Feed.Changed()
		now := time.Now()
		d.followLimit(now)
		if err := d.intake(now); err != nil {
			return err
		}
		if err := d.lookAhead(); err != nil {
			return err
		}
		if err := d.dispatch(work, now); err != nil {
			return err
		}
		d.commit(keep)
		if d.resting() {
			d.tr.Rest()
		}
		d.answerWaiters()
		if d.draining.Load() && d.busy() == 0 {
			return nil
		}
		timer.Reset(d.untilNext(now))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-drain:
			drain = nil
		case <-ready:
			ready = nil
		case <-changed:
		case <-timer.C:
		case <-d.nudges:
		case fn := <-d.calls:
			fn()
		case rep := <-d.reports:
			if rep.err != nil {
				d.giveBack(rep.batch)
				delete(d.flights, rep.batch.ID)
				return rep.err
			}
			d.reported(rep, time.Now())
		case rep := <-d.probe.answers:
			d.probeTold(rep, time.Now())
		case rep := <-d.probe.reports:
			d.probeDone(rep, time.Now())
		case err := <-d.commits:
			if err := d.committed(err); err != nil {
				return err
			}
		}
	}
}

// reported files what a worker brought back, the place it wrote to first.
func (d *Dispatcher) reported(rep report, now time.Time) {
	d.found(rep.res.place)
	if rep.res.Outcome.Class == ClassOK && !rep.res.Warm {
		d.tookLeast(rep.res.Duration)
	}
	d.settle(rep, now)
	if rep.res.Outcome.Class == ClassOK && !d.resting() {
		d.tr.Keep(rep.batch)
	}
}

// tookLeast notes how long a run has taken.
func (d *Dispatcher) tookLeast(t time.Duration) {
	if t > 0 && (d.quickest == 0 || t < d.quickest) {
		d.quickest = t
	}
}

// resting tells whether no batch may start until something happens from outside.
func (d *Dispatcher) resting() bool {
	return d.draining.Load() || d.state.Paused || d.state.Held != "" || d.breaker.open() || !d.o.Window.Open(time.Now())
}

// finish waits for what is under way and writes down what it came to. A journal
// that cannot be written to in finishTime, as on a full disk, is given up: what
// was not written down is only done again.
func (d *Dispatcher) finish(keep context.Context, giveUp context.CancelFunc) error {
	for len(d.flights) > 0 {
		d.reported(<-d.reports, time.Now())
	}
	if d.probe.running {
		d.probeDone(<-d.probe.reports, time.Now())
	}
	late := time.AfterFunc(finishTime, giveUp)
	defer late.Stop()
	for d.update.busy || d.update.dirty() {
		d.commit(keep)
		err := d.committed(<-d.commits)
		if err != nil && keep.Err() != nil {
			d.log.Warn("the last acknowledgements are not written down", "error", err)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// idle tells whether nothing is known that would have to be done.
func (d *Dispatcher) idle() bool {
	return d.queue.len() == 0 && d.retries.len() == 0 && d.full == nil && d.busy() == 0 && len(d.waiters) == 0 &&
		len(d.tidy.dirs) == 0 && !d.probe.running && !d.update.busy && !d.update.dirty() && d.ledger.read >= d.o.Feed.Head()
}

// untilNext is the time to the next thing that happens by itself.
func (d *Dispatcher) untilNext(now time.Time) time.Duration {
	if d.again || d.ledger.open < d.o.window && d.ledger.read < d.o.Feed.Head() {
		d.again = false
		return 0
	}
	wait := tick
	if d.idle() {
		wait = idleTick
	}
	sooner := func(t time.Time) {
		if left := t.Sub(now); left > 0 && left < wait {
			wait = left
		}
	}
	d.moves.next(sooner)
	if !d.gatherUntil.IsZero() {
		sooner(d.gatherUntil)
	}
	if d.breaker.open() {
		sooner(d.breaker.until)
	}
	if next, ok := d.retries.next(now); ok {
		sooner(next)
	}
	if d.retries.len() > 0 {
		sooner(d.stampedAt.Add(stampPause))
	}
	if d.probe.by != nil {
		sooner(d.probe.due)
	}
	if len(d.tidy.dirs) > 0 {
		sooner(d.tidy.due)
	}
	if at := d.o.Window.Change(now); !at.IsZero() {
		sooner(at)
	}
	if at := d.o.Rsync.BWLimit.Change(now); !at.IsZero() {
		sooner(at)
	}
	if d.state.Paused && !d.state.PausedUntil.IsZero() {
		sooner(d.state.PausedUntil)
	}
	return wait
}

// Drain stops the start of new work; Run returns when what is under way has
// ended. Idempotent.
func (d *Dispatcher) Drain() {
	if d.draining.CompareAndSwap(false, true) {
		close(d.drain)
	}
}

// do runs fn in the goroutine of Run. Before Run has begun it waits.
func (d *Dispatcher) do(ctx context.Context, fn func()) error {
	done := make(chan struct{})
	select {
	case d.calls <- func() { fn(); close(done) }:
	case <-d.ending:
		return ErrStopped
	case <-d.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	<-done
	return nil
}
