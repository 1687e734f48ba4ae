package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/strangers"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

// A remote that is not configured any more is a stranger: the journal keeps its
// place, in case it comes back, until it is forgotten or the journal is too large.

// giveUpLimit bounds how long a reload may have to wait for a full disk.
const giveUpLimit = 30 * time.Second

// sayStrangers names them once, at the start, and drops sources without any.
func (d *Daemon) sayStrangers() error {
	kept, err := d.kept.Kept(d.journal, d.cfg, time.Now())
	for _, k := range kept {
		d.log.Warn("remote is no longer configured: its place in the journal is kept", "remote", k.Name, "entries", k.LagEntries,
			"hint", "gorsyncd reload --forget "+k.Name)
	}
	if err != nil {
		return err
	}
	return d.dropEmpty()
}

// forget drops all that is kept of strangers. The caller holds reloading.
func (d *Daemon) forget(names []string) error {
	if len(names) == 0 {
		return nil
	}
	list, err := strangers.Of(d.journal, d.config())
	if err != nil {
		return err
	}
	for _, s := range list {
		if !slices.Contains(names, s.Name()) {
			continue
		}
		err := d.patience.until(d.soft, func() error { return s.Source.DropRemote(d.soft, s.Remote.Name()) })
		if err != nil {
			return fmt.Errorf("forget remote %s: %w", s.Name(), err)
		}
		d.log.Info("forgotten", "remote", s.Name())
	}
	return d.dropEmpty()
}

// dropEmpty drops the sources that are not configured and have nobody a place is
// kept for: nobody needs what their index knows. The caller holds reloading.
func (d *Daemon) dropEmpty() error {
	for _, name := range d.journal.Sources() {
		if d.config().HasSource(name) {
			continue
		}
		src, err := d.journal.Source(name)
		if err != nil {
			return fmt.Errorf("open source %s in the journal: %w", name, err)
		}
		if len(src.Remotes()) > 0 {
			continue
		}
		if err := d.patience.until(d.soft, func() error { return d.journal.DropSource(d.soft, name) }); err != nil {
			return err
		}
		d.log.Info("the journal keeps nothing of a source that is not configured", "source", name)
	}
	return nil
}

// giveUp has a stranger give up its place for a full sync, should it ever come
// back: it pins too much. It tells whether there is such a stranger.
func (d *Daemon) giveUp(ctx context.Context, source, remote string, st journal.Stats, limit int64) bool {
	select {
	case d.reloading <- struct{}{}: // a reload could have it owned by a dispatcher meanwhile
		defer d.reloading.release()
	default:
		return false
	}
	s, known, err := strangers.Find(d.journal, source, remote)
	if !known || err != nil || d.config().Has(source, remote) {
		return false
	}
	lag, err := replicate.StoredLag(s.Source, s.Remote, remote)
	if err == nil && lag.Entries >= minPinned {
		d.log.Error("the journal is past journal.max_size: a remote that is no longer configured gives up its place",
			"remote", s.Name(), "size_bytes", st.DiskBytes, "max_bytes", limit, "entries", lag.Entries)
		ctx, cancel := context.WithTimeout(ctx, giveUpLimit)
		defer cancel()
		err = replicate.GiveUp(ctx, s.Source, patientRemote{s.Remote, &d.patience}, remote, reasonSize, d.journal)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		d.log.Error("could not release the journal", "remote", s.Name(), "error", err)
	}
	return true
}
