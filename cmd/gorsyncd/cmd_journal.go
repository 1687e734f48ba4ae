package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
)

func (a *app) journalCommand() *cli.Command {
	return &cli.Command{
		Name:     "journal",
		Category: "Journal",
		Usage:    "look into the journal: inspect, tail, stats, check, compact",
		Description: `Through the daemon when it runs, else read-only, after a crash from a temporary
copy; which one is said on stderr.

EXAMPLE
   gorsyncd journal inspect --state failing`,
		Subcommands: []*cli.Command{a.inspectCommand(), a.tailCommand(), a.statsCommand(), a.checkCommand(), a.compactCommand()},
	}
}

func (a *app) statsCommand() *cli.Command {
	return &cli.Command{
		Name:  "stats",
		Usage: "show how large the journal is and who keeps it so",
		Description: `EXAMPLE
   gorsyncd journal stats --json`,
		Action: withContext(a.journalStats),
	}
}

func (a *app) journalStats(ctx context.Context, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	s, err := client(c).JournalStats(ctx)
	if err == nil {
		a.origin("from the running daemon")
	}
	if unreachable(err) {
		err = a.withOffline(c, func(v offlineJournal) error {
			s = control.NewJournalStats(v.Stats())
			return nil
		})
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(s)
	}
	t := status.NewTable([]string{"SOURCE", "HEAD", "ENTRIES", "INDEXED", "OLDEST", "PINNED BY"}, 1, 2, 3)
	for _, src := range s.Sources {
		pinned := ""
		if src.PinnedBy != "" {
			pinned = fmt.Sprintf("%s (%s)", src.PinnedBy, status.Count(src.Pinned))
		}
		t.Row(src.Source, fmt.Sprintf("#%d", src.HeadSeq), status.Count(src.Entries), status.Count(src.Index), status.Ago(a.now(), src.OldestEntry), pinned)
	}
	return a.print("%s on disk\n\n%s", status.Bytes(s.SizeBytes), t.String())
}

func (a *app) checkCommand() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "verify every rule of the journal",
		Description: `Exit status 1 when a rule is broken.

EXAMPLE
   gorsyncd journal check`,
		Action: withContext(a.journalCheck),
	}
}

func (a *app) journalCheck(ctx context.Context, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	rep, err := client(c).JournalCheck(ctx)
	if err == nil {
		a.origin("from the running daemon")
	}
	if unreachable(err) {
		err = a.withOffline(c, func(v offlineJournal) error {
			r, err := v.Check(ctx)
			rep = control.NewJournalReport(r)
			return err
		})
	}
	if err != nil {
		return err
	}
	if err := a.showReport(rep); err != nil {
		return err
	}
	if n := len(rep.Problems); n > 0 {
		return &control.Error{Code: control.CodeDamaged, Message: fmt.Sprintf("the journal breaks %d of its rules", n),
			Hint: "stop the daemon, move the journal away and start again: every remote gets a full sync"}
	}
	return nil
}

func (a *app) showReport(rep control.JournalReport) error {
	if a.json {
		return a.printJSON(rep)
	}
	for _, p := range rep.Problems {
		if err := a.print("%s\n", names.Printable(p)); err != nil {
			return err
		}
	}
	if len(rep.Problems) > 0 {
		return nil
	}
	return a.print("ok: %s entries, %s indexed paths, %s retry records\n",
		status.Count(rep.Entries), status.Count(rep.Index), status.Count(rep.Retries))
}

// offlineJournal is what the journal commands need without a daemon.
type offlineJournal interface {
	Dump(context.Context, journal.Query, func(journal.Row) error) error
	Stats() journal.Stats
	Check(context.Context) (journal.Report, error)
}

func (a *app) withOffline(c *cli.Context, do func(offlineJournal) error) error {
	v, err := openOffline(c)
	if err != nil {
		return err
	}
	defer v.Close() // read-only, or a copy
	a.origin(v.How())
	return do(v)
}
