package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

func (a *app) replayCommand() *cli.Command {
	return &cli.Command{
		Name:      "replay",
		Category:  "Act",
		Usage:     "send again what changed since some moment, to a remote that was set back",
		ArgsUsage: "NAME...",
		Description: `For a remote that was restored from a backup or set back to a snapshot: what was
journaled since is sent again with its contents compared, and what was removed
since is removed again, by the rules of delete: and guard:. Choose a moment before
the backup by more than the remote was behind then (gorsyncd report). The command
returns once that is durably noted; wait for it with flush.

The journal keeps what was delivered for journal.retain (24h unless configured).
Where it does not reach back, nothing is done, and the exit status is 3: then
gorsyncd sync NAME --checksum compares everything. See also: gorsyncd docs events

EXAMPLE
   gorsyncd replay www/nas --since 2h --dry-run
   gorsyncd replay www/nas --since 2026-11-30T08:00
   gorsyncd replay www/nas --from 184201 --path upload`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "begin with `SEQ`, SOURCE:SEQ, or what a position line of events said"},
			&cli.StringFlag{Name: "since", Usage: "begin a `TIME` ago, such as 30m, 2h or 1d, or at one, such as 2026-11-30T08:00"},
			&cli.StringFlag{Name: "path", Aliases: []string{"p"}, Usage: "only `SUB` with all below it, absolute or relative to the source"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "list what would be sent, change nothing"},
		},
		Action: withContext(a.replay),
	}
}

func (a *app) replay(ctx context.Context, c *cli.Context) error {
	if err := needArgs(c, "the name of a remote"); err != nil {
		return err
	}
	since, err := a.since(c)
	if err != nil {
		return err
	}
	if c.String("from") == "" && since.IsZero() {
		return &control.Error{Code: control.CodeUsage, Message: "--from or --since is missing", Hint: "see --help"}
	}
	sub := c.String("path")
	if sub != "" {
		sub = filepath.Clean(sub)
	}
	v := &replayView{app: a}
	err = client(c).Replay(ctx, control.ReplayRequest{Names: c.Args().Slice(), From: c.String("from"), Since: since,
		Sub: names.NewPath(sub), DryRun: c.Bool("dry-run")}, v.show)
	if err != nil {
		return err
	}
	return v.end()
}

// replayView shows what a replay tells.
type replayView struct {
	app      *app
	held     []string
	remnants uint64
}

func (v *replayView) show(l control.ReplayLine) error {
	if r := l.Result; r != nil {
		if !r.FullSync {
			v.remnants += r.Remnants
		}
		if r.Held != "" && !r.DryRun {
			v.held = append(v.held, l.Remote)
		}
	}
	switch {
	case v.app.json:
		return v.app.printJSON(l)
	case l.Event == control.EventReplay:
		return v.app.print("%s  %8s  %s  %-6s  %s\n", names.Printable(l.Remote), fmt.Sprintf("#%d", l.Seq), clock(v.app.now(), l.Time), l.Op, dotted(l.Path))
	case l.Event == control.EventRemnant:
		v.app.message("%s: %s was removed and made again: what it had before may still be there", l.Remote, dotted(l.Path))
	case l.Result != nil:
		return v.app.print("%s: %s\n", names.Printable(l.Remote), replayText(*l.Result))
	}
	return nil
}

func replayText(r control.ReplayResult) string {
	what := "are sent again"
	if r.DryRun {
		what = "would be sent again"
	}
	text := fmt.Sprintf("%s and %s %s (#%d to #%d)", many(r.Changes, "change"), many(r.Removals, "removal"), what, r.From, r.To)
	if r.Pending > 0 {
		text += fmt.Sprintf(", %s on their way anyway", status.Count(r.Pending))
	}
	if r.FullSync {
		text += fmt.Sprintf(", with a full sync of %s %s", status.Count(r.Remnants), plural(r.Remnants, "directory", "directories"))
	}
	if r.Held != "" {
		text += "; " + names.Printable(r.Held)
	}
	return text
}

// end says what a person has to do yet.
func (v *replayView) end() error {
	switch {
	case len(v.held) > 0:
		return &control.Error{Code: control.CodeProblem, Message: v.held[0] + " is held: too much would be deleted",
			Hint: "look at it with journal inspect, then: gorsyncd approve " + v.held[0]}
	case v.remnants > 0:
		return &control.Error{Code: control.CodeNotInSync, Message: "a remote may keep something in directories that were removed and made again: " + status.Count(v.remnants),
			Hint: "gorsyncd verify lists it as strangers once flush is done; with delete: all, gorsyncd sync NAME --path DIR removes it"}
	}
	return nil
}
