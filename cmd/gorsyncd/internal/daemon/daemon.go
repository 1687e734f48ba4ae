package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/lagring"
	"gorsyncd/cmd/gorsyncd/internal/metrics"
	"gorsyncd/cmd/gorsyncd/internal/service"
	"gorsyncd/cmd/gorsyncd/internal/strangers"
	"gorsyncd/cmd/gorsyncd/internal/web"
	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// drainLimit is how long transfers under way may take after Drain.
const drainLimit = 10 * time.Second

// Options of Run.
type Options struct {
	Config  *config.Config
	Reload  func() (*config.Config, error) // reads the configuration again
	Logger  *slog.Logger
	SetLog  func(config.Log) error // changes what Logger writes to; nil for a log that stays as it is
	Version string
	Drain   <-chan struct{}   // closed to stop politely
	Signals <-chan os.Signal  // each one received reloads; nil for none
	OpenAPI []byte            // the description of the API
	Umask   int               // of rsync; 0 for that of this process
	Service *service.Notifier // nil when no service manager wants to be told
}

// Daemon is a running gorsyncd. Its exported methods are the control API.
type Daemon struct {
	opts    Options
	log     *slog.Logger
	started time.Time
	journal *journal.Journal
	lost    bool       // the journal is a fresh one in place of a damaged one
	sshDir  string     // for shared ssh connections; "" shares none
	failed  chan error // the first failure that must end the process

	slots    replicate.Slots // of rsyncs that wait for changes
	group    *watch.Group    // of all sources
	patience patience
	starts   *startGuard
	manager  manager

	metrics   *metrics.Metrics
	histories *histories // set once by open

	hard, soft context.Context // set once by serve: lives of dispatchers and of trees

	ready chan struct{} // closed when every source has been started

	reloading lock // held by whoever starts or stops units
	reporting lock // held while a report is made

	mu         sync.RWMutex
	cfg        *config.Config // guarded by mu
	units      []*unit        // guarded by mu; in the order of the configuration
	bells      []*bell        // guarded by mu; as well
	lastReload reloadResult   // guarded by mu
	// needsRestart names the keys of the configuration that were changed since the
	// start and not applied; guarded by mu.
	needsRestart []string

	kept strangers.Counter
	lag  lagring.Ring

	web *web.Server // set once by serve

	asked sync.WaitGroup // verifies that somebody started and nobody waits for
}

// lock is a mutex that can be waited for with a context.
type lock chan struct{}

func newLock() lock { return make(lock, 1) }

func (l lock) take(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l lock) release() { <-l }

type reloadResult struct {
	at  time.Time
	err error
}

// Run serves the configuration until Drain is closed, ctx ends, or the journal
// fails. A journal in use by another process is an error that wraps
// journal.ErrLocked.
func Run(ctx context.Context, o Options) error {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Daemon{
		opts: o, log: o.Logger, started: time.Now(), cfg: o.Config,
		slots: replicate.NewSlots(maxWarm), group: watch.NewGroup(), failed: make(chan error, 1), patience: patience{log: o.Logger}, reloading: newLock(), reporting: newLock(), ready: make(chan struct{}),
	}
	d.manager = manager{Notifier: o.Service, dog: service.NewWatchdog(o.Service, d.log)}
	d.metrics = d.newMetrics()
	telling, quiet := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer quiet()
	wg.Go(func() { d.manager.dog.Run(telling) })
	d.enterPhase("opening the journal")
	wg.Go(func() { d.keepTelling(telling) })
	if stopped, err := d.open(ctx); stopped || err != nil {
		if d.starts != nil {
			d.starts.close()
		}
		return err
	}
	d.manager.dog.WatchJournal(d.journal.Committing)
	err := d.serve(ctx)
	if cerr := d.journal.Close(); cerr != nil && err == nil {
		err = fmt.Errorf("close journal: %w", cerr)
	}
	d.starts.end()
	return err
}

// open opens the journal, which may have to wait for space: stopped says that it
// was asked to end before it had any.
func (d *Daemon) open(ctx context.Context) (stopped bool, err error) {
	for _, dir := range []string{d.cfg.StateDir, d.fenceDir(""), d.notifyDir()} {
		if err := d.makeState(dir); err != nil {
			return false, err
		}
	}
	d.warnOfSecrets(d.cfg)
	d.warnOfNotifiers(d.cfg)
	d.histories = openHistories(d.cfg.StateDir, d.cfg.RemoteNames(), time.Now(), d.log)
	d.starts = newStartGuard(d.cfg.JournalDir(), d.log)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-d.opts.Drain:
			cancel()
		case <-ctx.Done():
		}
	}()
	d.journal, d.lost, err = d.openJournal(ctx)
	if err != nil && ctx.Err() != nil {
		d.log.Info("stopping before the journal was opened", "error", err)
		return true, nil
	}
	return false, err
}

func (d *Daemon) fenceDir(source string) string {
	return filepath.Join(d.config().StateDir, "fence", source)
}

// probeDir is where the files of a probe are made for a remote.
func (d *Daemon) probeDir(source, remote string) string {
	return filepath.Join(d.config().StateDir, "probe", source, remote)
}

// serve runs everything and takes it down again in phases: intake first, then
// transfers with a deadline, then whatever is left.
func (d *Daemon) serve(ctx context.Context) error {
	hard, cut := context.WithCancel(ctx)
	defer cut()
	soft, stopIntake := context.WithCancel(hard)
	defer stopIntake()

	d.hard, d.soft = hard, soft // before the first request
	api := control.NewService(control.Options{API: d, Logger: d.log, OpenAPI: d.opts.OpenAPI})
	defer api.Close()
	server, err := api.Listen(d.cfg.Socket)
	if err != nil {
		return err
	}
	d.web = d.newWeb(api)
	d.sshDir = openSSHDir(d.cfg, d.log)
	var wg sync.WaitGroup
	pages, closePages := context.WithCancel(context.WithoutCancel(ctx)) // as long as the socket
	defer closePages()
	wg.Go(func() { _ = d.web.Run(pages) }) // which returns nil
	wg.Go(func() {                         // also while sources are still being started
		select {
		case <-d.opts.Drain:
			stopIntake()
		case <-soft.Done():
		}
	})
	wg.Go(func() {
		if err := server.Serve(); err != nil {
			d.log.Error("control socket ended", "error", err)
		}
	})
	d.enterPhase("starting")
	d.told(d.manager.Ready("starting"))
	if err = d.startUnits(); err == nil {
		d.replaced()
		d.setBells(d.cfg.Notify)
		close(d.ready)
		d.enterPhase("")
		wg.Go(func() { d.upkeep(soft) })
		wg.Go(func() { d.verify(soft) })
		wg.Go(func() { d.remember(soft) })
		wg.Go(func() { d.noteLag(soft) })
		wg.Go(func() { d.lookOut(soft) })
		wg.Go(func() { d.reloadOnSignal(soft) })
		err = d.work(ctx)
	} else if soft.Err() != nil {
		err = nil // stopped before everything had started
	}
	d.stopping(err)
	stopIntake()
	// A reload under way has to end first, and no other may begin.
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit+5*time.Second)
	defer cancel()
	if d.reloading.take(patience) == nil {
		defer d.reloading.release()
	}
	d.drainUnits(ctx, drainLimit)
	cut()
	d.stopBells()
	d.stopUnits()
	d.histories.save()
	d.histories.touch(time.Now())
	closePages()
	if cerr := server.Close(); cerr != nil && err == nil {
		err = fmt.Errorf("close control socket: %w", cerr)
	}
	wg.Wait()
	d.asked.Wait()
	return err
}

// work says that everything runs and waits for the end.
func (d *Daemon) work(ctx context.Context) error {
	c := d.config()
	d.log.Info("gorsyncd is running", "version", d.opts.Version, "sources", len(c.Sources), "remotes", len(c.RemoteNames()))
	return d.wait(ctx)
}

// wait returns nil when asked to stop, and the reason when the journal failed.
func (d *Daemon) wait(ctx context.Context) error {
	select {
	case <-d.opts.Drain:
		d.log.Info("stopping: transfers under way may end", "limit_seconds", drainLimit.Seconds())
		return nil
	case <-ctx.Done():
		return nil
	case err := <-d.failed:
		d.log.Error("the journal failed; ending so that the next start can recover it", "error", err)
		return err
	}
}

// fail ends the process for the first reason given; later ones are its echo.
func (d *Daemon) fail(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	select {
	case d.failed <- err:
	default:
	}
}
