package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/journal"
)

// openJournal opens the journal, or sets a lost or damaged one aside and starts
// a fresh one; so it does with one that has killed the last processes. Every
// source of a fresh journal is scanned anew and every remote full-synced, so
// nothing is lost but the history; lost says so.
func (d *Daemon) openJournal(ctx context.Context) (j *journal.Journal, lost bool, err error) {
	o := journalOptions(d.cfg, d.log)
	o.Committed = d.metrics.Committed
	if d.starts.exhausted() {
		reason := fmt.Errorf("starts ended in a crash again and again, see %s.last", d.starts.report)
		j, err = d.replaceJournal(ctx, o, reason)
		return j, err == nil, err
	}
	j, err = d.openWithSpace(ctx, o)
	switch {
	case err == nil:
		lost, err = d.replaceFurther(ctx, j, o)
		return j, lost, err
	case !isDamage(err):
		return nil, false, fmt.Errorf("open journal %s: %w", o.Dir, err)
	}
	j, err = d.replaceJournal(ctx, o, err)
	return j, err == nil, err
}

func journalOptions(c *config.Config, log *slog.Logger) journal.Options {
	return journal.Options{Dir: c.JournalDir(), Retain: c.Journal.Retain, Ballast: int64(c.Journal.Ballast), Logger: log}
}

// replaceJournal sets the journal aside and begins a fresh one.
func (d *Daemon) replaceJournal(ctx context.Context, o journal.Options, reason error) (*journal.Journal, error) {
	now := time.Now()
	if err := writeFile(replacing(o.Dir), []byte(now.Format(time.RFC3339Nano))); err != nil {
		return nil, fmt.Errorf("note that the journal is replaced: %w", err)
	}
	var aside string
	err := unlocked(ctx, func() (err error) {
		aside, err = journal.SetAside(o.Dir, now)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("set the damaged journal aside: %w (damage: %w)", err, reason)
	}
	d.starts.forget()
	d.log.Error("journal lost: every source is scanned anew and every remote gets a full sync",
		"error", reason, "kept_in", aside)
	j, err := d.openWithSpace(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open a fresh journal in %s: %w", o.Dir, err)
	}
	if err := d.salvage(ctx, j, aside); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// openWithSpace opens the journal as soon as its file system has room for
// that: on a full one Badger would die, which must not look like damage.
func (d *Daemon) openWithSpace(ctx context.Context, o journal.Options) (j *journal.Journal, err error) {
	err = d.patience.until(ctx, func() (err error) {
		d.starts.begin()
		err = unlocked(ctx, func() (err error) {
			j, err = journal.Open(o)
			return err
		})
		if err != nil {
			d.starts.refused()
		}
		if errors.Is(err, journal.ErrNoSpace) {
			d.starts.forget() // a full disk kills, too, and is no damage
		}
		return err
	})
	if err == nil {
		d.starts.opened()
	}
	return j, err
}

// Commands that read the journal while no daemon runs hold its lock for a
// moment; one of them must not keep the daemon from starting.
const (
	lockWait = 4 * time.Second
	lockPoll = 50 * time.Millisecond
)

// unlocked does something with the journal, waiting a short time for whoever has it.
func unlocked(ctx context.Context, do func() error) error {
	for end := time.Now().Add(lockWait); ; {
		err := do()
		if !errors.Is(err, journal.ErrLocked) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(lockPoll):
		}
	}
}

func isDamage(err error) bool {
	var lost *journal.LostError
	var corrupt *journal.CorruptError
	return errors.As(err, &lost) || errors.As(err, &corrupt)
}
