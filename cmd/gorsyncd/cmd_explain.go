package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/explain"
)

func (a *app) explainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Category:  "Look",
		Usage:     "say what becomes of one path, and why",
		ArgsUsage: "PATH",
		Description: `Exit status 0: delivered everywhere, 3: on its way or excluded, 4: failing or
held somewhere.

EXAMPLE
   gorsyncd explain /data0/www/www/img/logo.png`,
		Action: withContext(a.explain),
	}
}

func (a *app) explain(ctx context.Context, c *cli.Context) error {
	if err := needArgs(c, "a path"); err != nil {
		return err
	}
	if c.NArg() > 1 {
		return &control.Error{Code: control.CodeUsage, Message: "explain takes one path"}
	}
	path, err := filepath.Abs(c.Args().First())
	if err != nil {
		return fmt.Errorf("find the path: %w", err)
	}
	e, err := client(c).Explain(ctx, path)
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(e)
	} else {
		err = a.print("%s", explain.Text(e, a.now()))
	}
	if err != nil {
		return err
	}
	if code := explainExit(e); code != control.ExitOK {
		return silent(code)
	}
	return nil
}

func explainExit(e control.Explanation) int {
	if e.Filter.Excluded {
		return control.ExitNotInSync
	}
	code := control.ExitOK
	for _, r := range e.Remotes {
		switch r.State {
		case "acked", "delivered":
		case "failing", "held":
			return control.ExitProblem
		default:
			code = control.ExitNotInSync
		}
	}
	return code
}
