package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
)

func (a *app) syncCommand() *cli.Command {
	return &cli.Command{
		Name:      "sync",
		Category:  "Act",
		Usage:     "compare whole trees with remotes now (full sync)",
		ArgsUsage: "[NAME...]",
		Description: `Live changes go on meanwhile, and a full sync that is cut off resumes where it
was. It repairs what was changed on a remote. The command returns once the
daemon has durably noted it; status shows how far it is. With --wait it returns
when the full sync is done (0), when the time is up or a remote is paused (3), or
when one needs a person (4); in each case the full sync goes on by itself.

EXAMPLE
   gorsyncd sync www/nas
   gorsyncd sync www/nas --wait --timeout 2h
   gorsyncd sync '*/nas' --path img/2026 --checksum
   gorsyncd sync www/nas --dry-run`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "path", Aliases: []string{"p"}, Usage: "only `SUB`, absolute or relative to the source"},
			&cli.BoolFlag{Name: "checksum", Usage: "compare contents, not only sizes and times"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show the differences, change nothing"},
			&cli.BoolFlag{Name: "wait", Aliases: []string{"w"}, Usage: "return when it is done"},
			&cli.DurationFlag{Name: "timeout", Aliases: []string{"t"}, Usage: "with --wait: wait at most `TIME` (default: no limit)"},
		},
		Action: withContext(a.sync),
	}
}

func (a *app) sync(ctx context.Context, c *cli.Context) error {
	sub := c.String("path")
	if sub != "" {
		sub = filepath.Clean(sub)
	}
	req := control.SyncRequest{Names: c.Args().Slice(), Sub: names.NewPath(sub),
		Checksum: c.Bool("checksum"), DryRun: c.Bool("dry-run")}
	wait := &syncWait{app: a, status: client(c).Status, timeout: c.Duration("timeout"), line: newProgressLine(a)}
	switch {
	case c.Bool("wait") && req.DryRun:
		return &control.Error{Code: control.CodeUsage, Message: "--wait and --dry-run exclude each other: a dry run is waited for anyway"}
	case c.IsSet("timeout") && !c.Bool("wait"):
		return &control.Error{Code: control.CodeUsage, Message: "--timeout needs --wait"}
	case c.IsSet("timeout") && wait.timeout <= 0:
		return &control.Error{Code: control.CodeUsage, Message: "--timeout must be positive"}
	}
	found := 0
	err := client(c).Sync(ctx, req, func(p control.SyncProgress) error {
		found++
		if !slices.Contains(wait.waiting, p.Remote) {
			wait.waiting = append(wait.waiting, p.Remote)
		}
		switch {
		case a.json:
			return a.printJSON(p)
		case p.Line != "":
			return a.print("%s  %s\n", names.Printable(p.Remote), names.Printable(p.Line))
		case req.DryRun:
			return a.print("%s: no difference\n", names.Printable(p.Remote))
		}
		return a.print("%s: full sync starts\n", names.Printable(p.Remote))
	})
	if err == nil && found == 0 && req.DryRun {
		a.message("no differences")
	}
	if err == nil && c.Bool("wait") {
		return wait.run(ctx)
	}
	return err
}

// affected is what a command that acts on remotes says with --json.
type affected struct {
	Remotes []string `json:"affected"` // full names
}

// affected prints one line per remote that an action concerned.
func (a *app) affected(remotes []string, err error, what string) error {
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(affected{remotes})
	}
	for _, r := range remotes {
		if err := a.print("%s: %s\n", names.Printable(r), what); err != nil {
			return err
		}
	}
	if len(remotes) == 0 {
		a.message("nothing to do")
	}
	return nil
}

// isPath tells a path from the name of a remote: names never begin like this.
func isPath(arg string) bool {
	return strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../") || arg == "." || arg == ".."
}
