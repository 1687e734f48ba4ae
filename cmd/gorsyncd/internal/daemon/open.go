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
// a fresh one. Every source of a fresh journal is scanned anew and every remote
// full-synced, so nothing is lost but the history; lost says so.
func openJournal(ctx context.Context, c *config.Config, log *slog.Logger) (j *journal.Journal, lost bool, err error) {
	o := journal.Options{Dir: c.JournalDir(), Retain: c.Journal.Retain, Logger: log}
	j, err = openUnlocked(ctx, o)
	if err == nil {
		return j, false, nil
	}
	if !isDamage(err) {
		return nil, false, fmt.Errorf("open journal %s: %w", o.Dir, err)
	}
	aside, aerr := journal.SetAside(o.Dir, time.Now())
	if aerr != nil {
		return nil, false, fmt.Errorf("set the damaged journal aside: %w (damage: %w)", aerr, err)
	}
	log.Error("journal lost: every source is scanned anew and every remote gets a full sync",
		"error", err, "kept_in", aside)
	if j, err = journal.Open(o); err != nil {
		return nil, false, fmt.Errorf("open a fresh journal in %s: %w", o.Dir, err)
	}
	return j, true, nil
}

// Commands that read the journal while no daemon runs hold its lock for a
// moment; one of them must not keep the daemon from starting.
const (
	lockWait = 4 * time.Second
	lockPoll = 50 * time.Millisecond
)

// openUnlocked opens the journal, waiting a short time for whoever has it.
func openUnlocked(ctx context.Context, o journal.Options) (*journal.Journal, error) {
	for end := time.Now().Add(lockWait); ; {
		j, err := journal.Open(o)
		if !errors.Is(err, journal.ErrLocked) || time.Now().After(end) {
			return j, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(lockPoll):
		}
	}
}

func isDamage(err error) bool {
	var lost *journal.LostError
	var corrupt *journal.CorruptError
	return errors.As(err, &lost) || errors.As(err, &corrupt)
}
