package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/cmd/gorsyncd/internal/reportpage"
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

With --html it is a web page in one file, with plots, that can be mailed: a lag of
nothing and a time of which nothing is known look different in it.

When no daemon runs, what the last one has written is shown.

EXAMPLE
   gorsyncd report
   gorsyncd report www/nas --since 30d
   gorsyncd report --html report.html --since 30d
   gorsyncd report --html report.html --lang zh
   gorsyncd report --since 2026-11-01 --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "since", Value: "7d", Usage: "begin a `TIME` ago, such as 2h or 30d, or at one, such as 2026-11-30T08:00"},
			&cli.StringFlag{Name: "html", Usage: "write a web page to `FILE`, - for standard output"},
			&cli.StringFlag{Name: "lang", Usage: "language of the web page: `en` or zh"},
			&cli.BoolFlag{Name: "spans", Usage: "with --json: also hour by hour"},
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
	if err := a.reportFlags(c); err != nil {
		return err
	}
	q := control.ReportRequest{Names: c.Args().Slice(), Since: history.Since(now, now.Sub(since)), Spans: c.Bool("spans") || c.IsSet("html")}
	rep, err := client(c).Report(ctx, q)
	if unreachable(err) {
		rep, err = a.offlineReport(c, q)
	}
	if err != nil {
		return err
	}
	switch {
	case a.json:
		return a.printJSON(rep)
	case c.IsSet("html"):
		return a.reportPage(c, rep)
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

// reportFlags refuses what makes no sense together.
func (a *app) reportFlags(c *cli.Context) error {
	bad := ""
	switch {
	case c.IsSet("html") && a.json:
		bad = "--html and --json exclude each other"
	case c.IsSet("html") && c.String("html") == "":
		bad = "--html needs a file, or - for standard output"
	case c.IsSet("lang") && !c.IsSet("html"):
		bad = "--lang needs --html"
	case c.Bool("spans") && !a.json:
		bad = "--spans needs --json"
	}
	if bad == "" {
		return nil
	}
	return &control.Error{Code: control.CodeUsage, Message: bad, Hint: "see --help"}
}

// reportPage writes the web page. A file is replaced as a whole.
func (a *app) reportPage(c *cli.Context, rep control.Report) error {
	var page bytes.Buffer
	if err := reportpage.Write(&page, rep, reportpage.Options{Lang: c.String("lang"), Zone: time.Local}); err != nil {
		return err
	}
	file := c.String("html")
	if file == "-" {
		return a.print("%s", page.Bytes())
	}
	if err := replaceFile(file, page.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	a.message("the report is in %s", file)
	return nil
}

// replaceFile puts a file in place of another one, whole or not at all. What is no
// regular file, such as a pipe, is written to.
func replaceFile(file string, b []byte) error {
	if at, err := filepath.EvalSymlinks(file); err == nil {
		file = at
	}
	if fi, err := os.Stat(file); err == nil && !fi.Mode().IsRegular() {
		return os.WriteFile(file, b, 0o600)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".gorsyncd-report-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
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
