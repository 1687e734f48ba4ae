package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

// watchEvery is how often status --watch asks again.
const watchEvery = time.Second

func (a *app) statusCommand() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Category:  "Look",
		Usage:     "show every remote: state, how far behind, what is wrong",
		ArgsUsage: "[NAME...]",
		Description: `NAME is source/remote, either alone, or a pattern such as 'www/*'. Without
a daemon the journal answers, as of its end. Exit status 0: all in sync,
3: not, 4: a remote is failing or held.

EXAMPLE
   gorsyncd status --watch
   gorsyncd status --json 'www/*'
   gorsyncd status -q || echo "replicas are behind"`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "show again every second until interrupted"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing: the exit status says it"},
		},
		Action: withContext(a.status),
	}
}

func (a *app) status(ctx context.Context, c *cli.Context) error {
	terminal := isTerminal(a.out) && os.Getenv("TERM") != "dumb"
	v := &statusView{app: a, c: c, colour: terminal && os.Getenv("NO_COLOR") == "" && !c.Bool(flagNoColor)}
	if out, ok := a.out.(*os.File); ok && terminal && c.Bool("watch") && !a.json && !c.Bool("quiet") {
		w := &watchScreen{app: a, c: c, colour: v.colour}
		w.view.Wide = os.Getenv("RUNEWIDTH_EASTASIAN") == "1"
		return w.run(ctx, out)
	}
	if c.Bool("watch") {
		return v.watch(ctx)
	}
	s, err := a.readStatus(ctx, c)
	if err != nil {
		return err
	}
	if err := v.show(s); err != nil {
		return err
	}
	if code := s.ExitCode(); code != status.ExitOK {
		return silent(code)
	}
	return nil
}

// readStatus asks the daemon, else the journal, and keeps the named remotes and
// sinks.
func (a *app) readStatus(ctx context.Context, c *cli.Context) (status.Status, error) {
	s, err := client(c).Status(ctx)
	if unreachable(err) && !c.Bool("watch") {
		s, err = a.offlineStatus(c)
	}
	if err != nil {
		return s, err
	}
	all := sinkNames(s.Sinks)
	for _, r := range s.Remotes {
		all = append(all, r.Name)
	}
	for _, k := range s.Kept {
		all = append(all, k.Name)
	}
	chosen, err := control.Select(c.Args().Slice(), all)
	if err != nil {
		return s, err
	}
	s.Remotes = slices.DeleteFunc(s.Remotes, func(r replicate.Status) bool { return !slices.Contains(chosen, r.Name) })
	s.Kept = slices.DeleteFunc(s.Kept, func(k status.Kept) bool { return !slices.Contains(chosen, k.Name) })
	if c.NArg() > 0 {
		s.Sinks = slices.DeleteFunc(s.Sinks, func(k sink.Status) bool { return !slices.Contains(chosen, k.Name) })
		s.Sources = slices.DeleteFunc(s.Sources, func(src status.Source) bool {
			return !slices.ContainsFunc(chosen, func(n string) bool { return strings.HasPrefix(n, src.Name+"/") })
		})
	}
	return s, nil
}

func sinkNames(sinks []sink.Status) []string {
	var names []string
	for _, k := range sinks {
		names = append(names, k.Name)
	}
	return names
}

func (a *app) offlineStatus(c *cli.Context) (status.Status, error) {
	conf, err := load(c)
	if err != nil {
		return status.Status{}, fmt.Errorf("the daemon is not running, and %w", err)
	}
	v, err := openOffline(c)
	if err != nil {
		return status.Status{}, err
	}
	defer v.Close() // read-only, or a copy
	if !c.Bool("quiet") {
		a.message("journal: %s", v.How())
	}
	return v.Status(conf, a.now())
}

// statusView shows one Status after the other.
type statusView struct {
	app    *app
	c      *cli.Context
	colour bool
}

// watch shows the daemon's status until ctx ends. A daemon that is away is
// waited for: opening its journal every second would be in the way of its start.
func (v *statusView) watch(ctx context.Context) error {
	away := false
	for {
		s, err := v.app.readStatus(ctx, v.c)
		switch {
		case ctx.Err() != nil:
			return silent(control.ExitInterrupted)
		case unreachable(err):
			if !away {
				v.app.message("%v; waiting for it", err)
			}
			away = true
		case err != nil:
			return err
		default:
			away = false
			if err := v.show(s); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return silent(control.ExitInterrupted)
		case <-time.After(watchEvery):
		}
	}
}

func (v *statusView) show(s status.Status) error {
	if v.c.Bool("quiet") {
		return nil
	}
	if v.app.json {
		return v.app.printJSON(s)
	}
	return v.app.print("%s", s.Text(v.colour))
}
