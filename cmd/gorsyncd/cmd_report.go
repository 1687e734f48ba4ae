package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/history"
)

func (a *app) reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Category:  "Look",
		Usage:     "how remotes were served: delays, outages, full syncs, verifies",
		ArgsUsage: "[NAME...]",
		Description: `For each remote: changes and bytes delivered, how long they took from being
journaled to being acknowledged (median, 95 %, 99 %, longest), the longest time
it was behind, outages with their errors, paths that fail now, full syncs and
verifies. Kept for 35 days: by the hour for a week, by the day before that. A
crash of the daemon may lose the last five minutes.

When no daemon runs, what the last one has written is shown.

EXAMPLE
   gorsyncd report
   gorsyncd report www/nas --since 30d
   gorsyncd report --since 2026-11-01 --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "since", Value: "7d", Usage: "begin a `TIME` ago, such as 2h or 30d, or at one, such as 2026-11-30T08:00"},
		},
		Action: withContext(a.serviceReport),
	}
}

func (a *app) serviceReport(ctx context.Context, c *cli.Context) error {
	since, err := a.since(c)
	if err != nil {
		return err
	}
	now := a.now()
	if since.IsZero() || since.After(now) {
		return &control.Error{Code: control.CodeUsage, Message: "--since is empty, or in the future"}
	}
	q := control.ReportRequest{Names: c.Args().Slice(), Since: history.Since(now, now.Sub(since))}
	rep, err := client(c).Report(ctx, q)
	if unreachable(err) {
		rep, err = a.offlineReport(c, q)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(rep)
	}
	for i, r := range rep.Remotes {
		space := ""
		if i > 0 {
			space = "\n"
		}
		if err := a.print("%s%s", space, remoteReport{r, now}.text()); err != nil {
			return err
		}
	}
	return nil
}

// offlineReport is made of the files that the daemon has left.
func (a *app) offlineReport(c *cli.Context, q control.ReportRequest) (control.Report, error) {
	conf, err := load(c)
	if err != nil {
		return control.Report{}, err
	}
	view, err := openOffline(c)
	if err != nil {
		return control.Report{}, err
	}
	defer view.Close() // read-only, or a copy
	a.origin(view.How())
	return view.Report(conf, q, a.now())
}
