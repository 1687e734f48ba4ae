package main

import (
	"context"
	"path/filepath"
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
daemon has durably noted it; follow it with status, wait for it with flush.

EXAMPLE
   gorsyncd sync www/nas
   gorsyncd sync '*/nas' --path img/2026 --checksum
   gorsyncd sync www/nas --dry-run`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "path", Aliases: []string{"p"}, Usage: "only `SUB`, absolute or relative to the source"},
			&cli.BoolFlag{Name: "checksum", Usage: "compare contents, not only sizes and times"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show the differences, change nothing"},
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
	found := 0
	err := client(c).Sync(ctx, req, func(p control.SyncProgress) error {
		found++
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
