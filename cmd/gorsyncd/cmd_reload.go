package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
)

const flagForget = "forget"

func (a *app) reloadCommand() *cli.Command {
	return &cli.Command{
		Name:      "reload",
		Category:  "Daemon",
		Usage:     "apply a changed configuration to the running daemon",
		ArgsUsage: "[--forget NAME...]",
		Description: `What has not changed keeps running, transfers and all. A configuration with an
error changes nothing, exit status 78. SIGHUP does the same. What needs a restart
is named, and everything else is applied.

A remote that is no longer configured is stopped, and the journal keeps its place:
configured again under its name it goes on from there, without a full sync. Until
then it is in status, and the journal keeps what it has not had. --forget gives
that up. More: gorsyncd docs reload

EXAMPLE
   gorsyncd config check && gorsyncd reload
   gorsyncd reload --dry-run
   gorsyncd reload --forget www/old --forget 'bbs/*'`,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: flagForget, Usage: "keep nothing any more for remotes called `NAME` that are not configured; may be repeated"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "say what would be done, and do nothing"},
		},
		Action: withContext(a.reload),
	}
}

func (a *app) reload(ctx context.Context, c *cli.Context) error {
	req := control.ReloadRequest{DryRun: c.Bool("dry-run"), Forget: c.StringSlice(flagForget)}
	if len(req.Forget) == 0 { // otherwise the arguments are further names
		if err := noArgs(c); err != nil {
			return err
		}
	}
	req.Forget = append(req.Forget, c.Args().Slice()...)
	if req.Forget == nil {
		req.Forget = []string{}
	}
	res, err := client(c).Reload(ctx, req)
	if e := control.Classify(err); e != nil {
		if e.Code == control.CodeConfig && e.Hint == "" {
			e.Hint = "the running daemon keeps its configuration"
		}
		return e
	}
	if a.json {
		return a.printJSON(res)
	}
	return a.showChanges(res)
}

// fewRemotes is up to how many remotes each has its line, also when nothing
// becomes of it.
const fewRemotes = 20

func (a *app) showChanges(res control.ReloadResult) error {
	same, all := 0, len(res.Changes)
	for _, ch := range res.Changes {
		if ch.Change == control.Unchanged {
			if same++; all > fewRemotes {
				continue
			}
		}
		if err := a.print("%s\n", names.Printable(ch.Name+": "+ch.Text)); err != nil {
			return err
		}
	}
	last := ""
	switch {
	case same == all:
		last = "nothing changed\n"
	case all > fewRemotes && same > 0:
		last = fmt.Sprintf("%d %s: unchanged\n", same, word(same, "remote"))
	}
	if err := a.print("%s", last); err != nil {
		return err
	}
	if res.DryRun {
		a.message("this was a dry run: nothing has been done")
	}
	return nil
}
