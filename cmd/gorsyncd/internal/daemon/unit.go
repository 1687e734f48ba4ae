package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/metrics"
	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// unit is one source at work: its tree and the dispatchers of its remotes.
type unit struct {
	cfg  config.Source
	src  *journal.Source
	tree *watch.Tree

	cancel context.CancelFunc // ends the tree
	done   chan struct{}      // closed when the tree has ended

	looking lock // held by who looks at the source, which may hang

	remotes []*remote // guarded by Daemon.mu
	sinks   []*reader // guarded by Daemon.mu
}

// remote is one dispatcher at work.
type remote struct {
	cfg    config.Remote
	name   string // source/remote
	store  *journal.Remote
	disp   *replicate.Dispatcher
	cancel context.CancelFunc // cuts it off
	done   chan struct{}      // closed when it has ended
}

// startUnits starts every configured source. Trees live until soft ends,
// dispatchers until hard does.
func (d *Daemon) startUnits() error {
	if err := d.reloading.take(d.soft); err != nil {
		return err
	}
	defer d.reloading.release()
	if err := d.sayStrangers(); err != nil {
		return err
	}
	for _, sc := range d.cfg.Sources {
		u, err := d.startUnit(sc)
		if err != nil {
			return err
		}
		d.mu.Lock()
		d.units = append(d.units, u)
		d.mu.Unlock()
	}
	return nil
}

// startUnit starts a source with all its remotes.
func (d *Daemon) startUnit(sc config.Source) (*unit, error) {
	src, err := d.openSource(sc)
	if err != nil {
		return nil, err
	}
	life := d.manager.dog.Watch("source "+sc.Name, metrics.SourceLoop(sc.Name))
	tree, err := watch.New(d.treeOptions(sc, patientSource{src, &d.patience}, life))
	if err != nil {
		life.Done()
		return nil, fmt.Errorf("source %s: %w", sc.Name, err)
	}
	u := &unit{cfg: sc, src: src, tree: tree, done: make(chan struct{}), looking: newLock()}
	ctx, cancel := context.WithCancel(d.soft)
	u.cancel = cancel
	// Remotes first: a remote is new at the head before the first scan, so that
	// no entry falls between its full sync and its cursor.
	for _, rc := range sc.Remotes {
		r, err := d.startRemote(u, rc)
		if err != nil {
			cancel()
			u.stopRemotes()
			return nil, err
		}
		u.remotes = append(u.remotes, r)
	}
	if u.sinks, err = d.startSinks(u, sc); err != nil {
		cancel()
		u.stopRemotes()
		return nil, err
	}
	go func() {
		defer close(u.done)
		d.fail(tree.Run(ctx))
	}()
	return u, nil
}

// openSource opens a source of the journal and makes the directory of its fences.
func (d *Daemon) openSource(sc config.Source) (src *journal.Source, err error) {
	err = d.patience.until(d.soft, func() (err error) {
		src, err = d.journal.Source(sc.Name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open source %s in the journal: %w", sc.Name, err)
	}
	err = d.patience.until(d.soft, func() error {
		err := d.makeState(d.fenceDir(sc.Name))
		if errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("%w: %w", journal.ErrNoSpace, err)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make fence directory: %w", err)
	}
	return src, nil
}

// startRemote starts one dispatcher of a unit.
func (d *Daemon) startRemote(u *unit, rc config.Remote) (*remote, error) {
	name := u.cfg.FullName(rc)
	var store *journal.Remote
	err := d.patience.until(d.soft, func() (err error) {
		store, err = u.src.Remote(rc.Name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open remote %s in the journal: %w", name, err)
	}
	cut := replicate.CutShort(d.runLock(u.cfg.Name, rc.Name)) && watch.MountedAnew(u.cfg.Path, u.src)
	if err := d.prepareRemote(store, name, rc, cut); err != nil {
		return nil, err
	}
	life := d.manager.dog.Watch("remote "+name, metrics.SourceLoop(u.cfg.Name))
	disp, err := replicate.New(d.dispatcherOptions(u, rc, patientRemote{store, &d.patience}, life))
	if err != nil {
		life.Done()
		return nil, fmt.Errorf("remote %s: %w", name, err)
	}
	life.OnLook(disp.Nudge)
	ctx, cancel := context.WithCancel(d.hard)
	r := &remote{cfg: rc, name: name, store: store, disp: disp, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		d.fail(disp.Run(ctx))
	}()
	return r, nil
}

// prepareRemote decides, before the dispatcher owns the remote's records,
// whether it starts with a full sync.
func (d *Daemon) prepareRemote(store *journal.Remote, name string, rc config.Remote, cut bool) error {
	up := startUpdate(store.State(), store.FullSync(), rc, d.lost, cut)
	if up.FullSync == nil && !up.EndFullSync && up.State == nil {
		return nil
	}
	if f := up.FullSync; f != nil {
		f.Started = time.Now()
		if f.Reason != reasonAlways {
			f.Behind = d.journal.Now() // since then at least
		}
		if old := store.FullSync(); old != nil && !old.Behind.IsZero() {
			f.Behind = old.Behind
		}
		d.log.Info("full sync needed", "remote", name, "reason", f.Reason)
	}
	if err := d.patience.until(d.soft, func() error { return store.Commit(d.soft, up) }); err != nil {
		return fmt.Errorf("prepare remote %s: %w", name, err)
	}
	return nil
}

// Reasons of full syncs.
const (
	reasonTarget = "target changed"
	reasonFilter = "filter changed"

	reasonEmptyDirs = "empty_dirs changed"
	reasonSize      = "journal.max_size reached"
	reasonAlways    = "full_sync.on_start: always"
)

// startUpdate is what a remote's records need before it starts. lost says that
// the journal was set aside: what the remotes have is not known then, whatever
// the configuration says about full syncs.
//
// cut says that the machine went down in the middle of a transfer. The source
// may have been set back since, to before what rsync has seen of it: a
// directory that was away for a moment, and is removed on the remote, is there
// again as if nothing had happened.
func startUpdate(state journal.RemoteState, full *journal.FullSync, rc config.Remote, lost, cut bool) journal.Update {
	target, filter := rc.Target.String(), filterDigest(rc.Filter)
	before, hadNoEmpty := strings.CutSuffix(state.Filter, noEmptyDirs)
	fresh := full != nil && full.Reason == journal.NewRemote && !full.Begun
	var up journal.Update
	switch {
	case lost && fresh:
		up.FullSync = &journal.FullSync{Reason: "journal lost"}
	case state.Target != "" && state.Target != target:
		up.FullSync = &journal.FullSync{Reason: reasonTarget}
	case state.Filter != "" && before != filter:
		// What the old filter left out was passed over, by entries as well.
		up.FullSync = &journal.FullSync{Reason: reasonFilter}
	case hadNoEmpty && rc.EmptyDirs:
		// Likewise. There is nothing to make up for in the other direction.
		up.FullSync = &journal.FullSync{Reason: reasonEmptyDirs}
	case cut && !fresh:
		up.FullSync = &journal.FullSync{Reason: "power cut", Checksum: full != nil && full.Checksum}
	case full == nil && rc.FullSync.OnStart == config.Always:
		up.FullSync = &journal.FullSync{Reason: reasonAlways}
	case fresh && rc.FullSync.OnStart == config.Never:
		up.EndFullSync = true
	}
	if !rc.EmptyDirs {
		filter += noEmptyDirs
	}
	if state.Target != target || state.Filter != filter {
		if state.Target != target {
			state.Place = "" // of the old one
		}
		state.Target, state.Filter = target, filter
		up.State = &state
	}
	return up
}

// noEmptyDirs is added to the digest of a remote's filter where directories with
// nothing in them are left out.
const noEmptyDirs = " without empty directories"

// filterDigest tells two filters apart.
func filterDigest(f *watch.Filter) string {
	sum := sha256.Sum256([]byte(strings.Join(f.Args(), "\x00")))
	return hex.EncodeToString(sum[:8])
}

// stop ends the unit at once: tree first, then its dispatchers.
func (u *unit) stop() {
	u.cancel()
	stopReaders(u.sinks)
	u.stopRemotes()
	<-u.done
}

func (u *unit) stopRemotes() {
	for _, r := range u.remotes {
		r.cancel()
	}
	for _, r := range u.remotes {
		<-r.done
	}
}

func (r *remote) fullName() string { return r.name }

// stopGently lets transfers under way end, for at most limit.
func (r *remote) stopGently(limit time.Duration) {
	r.disp.Drain()
	select {
	case <-r.done:
	case <-time.After(limit):
	}
	r.cancel()
	<-r.done
}

// drainUnits waits until no transfer is under way any more, or the limit or
// ctx ends.
func (d *Daemon) drainUnits(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, u := range d.units {
		for _, r := range u.remotes {
			r.disp.Drain()
		}
		for _, r := range u.sinks {
			r.sink.Drain()
		}
	}
	for _, u := range d.units {
		for _, r := range u.remotes {
			select {
			case <-r.done:
			case <-ctx.Done():
				d.log.Warn("cutting off a transfer; it is repeated at the next start", "remote", r.name)
			}
		}
		for _, r := range u.sinks {
			select {
			case <-r.done:
			case <-ctx.Done():
				d.log.Warn("cutting off a delivery; it is repeated at the next start", "sink", r.name)
			}
		}
	}
}

func (d *Daemon) stopUnits() {
	d.mu.Lock()
	defer d.mu.Unlock()
	var wg sync.WaitGroup
	for _, u := range d.units {
		wg.Go(u.stop)
	}
	wg.Wait()
}
