package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
)

func (a *app) retryCommand() *cli.Command {
	return &cli.Command{
		Name:      "retry",
		Category:  "Act",
		Usage:     "try again now what waits for its next attempt",
		ArgsUsage: "[NAME...|PATH...]",
		Description: `Without arguments everything that failed, on every remote. A path begins with
/ or ./.

EXAMPLE
   gorsyncd retry www/nas
   gorsyncd retry /data0/www/www/upload/report.xlsx`,
		Action: withContext(a.retry),
	}
}

func (a *app) retry(ctx context.Context, c *cli.Context) error {
	req := control.RetryRequest{Names: []string{}, Paths: []names.Path{}}
	for _, arg := range c.Args().Slice() {
		if !isPath(arg) {
			req.Names = append(req.Names, arg)
			continue
		}
		p, err := absolutePaths([]string{arg})
		if err != nil {
			return err
		}
		req.Paths = append(req.Paths, p...)
	}
	remotes, err := client(c).Retry(ctx, req)
	return a.affected(remotes, err, "trying now")
}

func (a *app) pauseCommand() *cli.Command {
	return &cli.Command{
		Name:      "pause",
		Category:  "Act",
		Usage:     "stop sending to remotes; changes are kept for them",
		ArgsUsage: "NAME...",
		Description: `A pause survives restarts of the daemon.

EXAMPLE
   gorsyncd pause www/nas --for 2h --reason "disk replacement"
   gorsyncd pause '*/*'`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "for", Usage: "end by itself after `TIME`, such as 30m, 2h or 1d"},
			&cli.StringFlag{Name: "reason", Usage: "`TEXT` shown in status"},
		},
		Action: withContext(a.pause),
	}
}

func (a *app) pause(ctx context.Context, c *cli.Context) error {
	if err := needArgs(c, "the name of a remote"); err != nil {
		return err
	}
	var d time.Duration
	if text := c.String("for"); text != "" {
		var err error
		if d, err = config.ParseDuration(text); err != nil || d <= 0 {
			return &control.Error{Code: control.CodeUsage, Message: "--for: " + text + " is not a time", Hint: "such as 30m, 2h or 1d", Err: err}
		}
	}
	remotes, err := client(c).Pause(ctx, control.PauseRequest{Names: c.Args().Slice(), For: d, Reason: c.String("reason")})
	return a.affected(remotes, err, "paused")
}

func (a *app) resumeCommand() *cli.Command {
	return &cli.Command{
		Name:      "resume",
		Category:  "Act",
		Usage:     "end a pause",
		ArgsUsage: "NAME...",
		Description: `EXAMPLE
   gorsyncd resume www/nas`,
		Action: withContext(func(ctx context.Context, c *cli.Context) error {
			if err := needArgs(c, "the name of a remote"); err != nil {
				return err
			}
			remotes, err := client(c).Resume(ctx, c.Args().Slice())
			return a.affected(remotes, err, "resumed")
		}),
	}
}

func (a *app) approveCommand() *cli.Command {
	return &cli.Command{
		Name:      "approve",
		Category:  "Act",
		Usage:     "let a held remote go on",
		ArgsUsage: "NAME...",
		Description: `A guard holds a remote when too much would be deleted at once, and a source
when its tree is suddenly empty or another file system is mounted there. See
with status and journal inspect what would happen before approving it.

EXAMPLE
   gorsyncd approve bbs/web1`,
		Action: withContext(func(ctx context.Context, c *cli.Context) error {
			if err := needArgs(c, "the name of a remote"); err != nil {
				return err
			}
			remotes, err := client(c).Approve(ctx, c.Args().Slice())
			return a.affected(remotes, err, "approved")
		}),
	}
}

func (a *app) reloadCommand() *cli.Command {
	return &cli.Command{
		Name:     "reload",
		Category: "Daemon",
		Usage:    "apply a changed configuration to the running daemon",
		Description: `What has not changed keeps running. A configuration with an error changes
nothing, exit status 78.

EXAMPLE
   gorsyncd config check && gorsyncd reload`,
		Action: withContext(a.reload),
	}
}

// reloaded is reload --json.
type reloaded struct {
	Changes []string `json:"changes"` // one line each, for people
}

func (a *app) reload(ctx context.Context, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	changes, err := client(c).Reload(ctx)
	if e := control.Classify(err); e != nil {
		if e.Code == control.CodeConfig && e.Hint == "" {
			e.Hint = "the running daemon keeps its configuration"
		}
		return e
	}
	if a.json {
		return a.printJSON(reloaded{changes})
	}
	for _, line := range changes {
		if err := a.print("%s\n", names.Printable(line)); err != nil {
			return err
		}
	}
	return nil
}
