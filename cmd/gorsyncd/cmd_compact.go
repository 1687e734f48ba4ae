package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
)

func (a *app) compactCommand() *cli.Command {
	return &cli.Command{
		Name:  "compact",
		Usage: "have the journal free at once what it can free",
		Description: `Deletes what every remote has and journal.retain does not keep, and merges the
files of the database. The daemon does both by itself in time; this is for a disk
that is short of space now. It needs room for a second copy of the database for
a moment, and is harmless under load. When no daemon runs it is done here, as the
user that owns the journal.

EXAMPLE
   gorsyncd journal compact`,
		Action: withContext(a.journalCompact),
	}
}

func (a *app) journalCompact(ctx context.Context, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	res, err := client(c).JournalCompact(ctx)
	if err == nil {
		a.origin("by the running daemon")
	}
	if unreachable(err) {
		res, err = a.compactHere(ctx, c)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(res)
	}
	return a.print("%s before, %s after, %s deleted, in %s\n", status.Bytes(res.Before), status.Bytes(res.After),
		many(res.Truncated, "change"), seconds(res.Seconds))
}

// compactHere compacts a journal that no daemon has open.
func (a *app) compactHere(ctx context.Context, c *cli.Context) (res control.JournalCompacted, err error) {
	conf, err := loadTrusted(c)
	if err != nil {
		return res, err
	}
	dir := conf.JournalDir()
	if err := ownJournal(dir); err != nil {
		return res, err
	}
	j, err := journal.Open(journal.Options{Dir: dir, Retain: conf.Journal.Retain, Ballast: int64(conf.Journal.Ballast)})
	if errors.Is(err, journal.ErrLocked) {
		return res, &control.Error{Code: control.CodeUnreachable, Err: err,
			Message: "a daemon holds the journal in " + dir + " but listens on another socket",
			Hint:    "give its socket with --socket, or the configuration it runs with"}
	}
	if err != nil {
		return res, err
	}
	a.origin("opened here, the daemon is not running")
	begun := a.now()
	done, err := j.Compact(ctx)
	if cerr := j.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("close journal: %w", cerr)
	}
	return control.NewJournalCompacted(done, a.now().Sub(begun)), err
}

// ownJournal refuses a journal that is not there, and one that belongs to another
// user: files that we made in it would lock the daemon out.
func ownJournal(dir string) error {
	fi, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return &control.Error{Code: control.CodeNotFound, Message: "there is no journal in " + dir, Hint: "the daemon makes it: gorsyncd run", Err: err}
	}
	if err != nil {
		return fmt.Errorf("look at the journal: %w", err)
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return &control.Error{Code: control.CodePermission, Message: fmt.Sprintf("%s belongs to the user with the id %d", dir, st.Uid),
			Hint: "run this as that user, or while the daemon runs"}
	}
	return nil
}
