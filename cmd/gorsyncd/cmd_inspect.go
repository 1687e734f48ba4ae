package main

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
)

func (a *app) inspectCommand() *cli.Command {
	return &cli.Command{
		Name:  "inspect",
		Usage: "list changes and what has become of them",
		Description: `EXAMPLE
   gorsyncd journal inspect --state failing
   gorsyncd journal inspect --path /data0/www/www/upload --remote www/nas
   gorsyncd journal inspect --source www --from 1000 --to 2000 --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "path", Aliases: []string{"p"}, Usage: "only `PATH` and what is below it, absolute or relative to the source"},
			&cli.StringFlag{Name: "source", Aliases: []string{"s"}, Usage: "only the source `NAME`"},
			&cli.StringFlag{Name: "remote", Aliases: []string{"r"}, Usage: "only the remote `NAME`, with or without its source"},
			&cli.StringFlag{Name: "state", Usage: "only what is in `STATE`: queued, failing or acked"},
			&cli.Uint64Flag{Name: "from", Usage: "first `SEQ`"},
			&cli.Uint64Flag{Name: "to", Usage: "last `SEQ`"},
		},
		Action: withContext(a.inspect),
	}
}

func (a *app) inspect(ctx context.Context, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	q, err := inspectQuery(c)
	if err != nil {
		return err
	}
	v := newInspectView(a, q.State)
	// Said before the first row, which is when it is known that the daemon
	// answers.
	said := false
	daemon := func(r control.Row) error {
		if !said {
			said = true
			a.origin("from the running daemon")
		}
		return v.row(r)
	}
	err = client(c).Inspect(ctx, q, daemon)
	switch {
	case unreachable(err) && !said:
		err = a.withOffline(c, func(view offlineJournal) error {
			return view.Dump(ctx, q, func(r journal.Row) error { return v.row(control.NewRow(r)) })
		})
	case err == nil && !said:
		a.origin("from the running daemon")
	}
	if err == nil && v.entries == 0 {
		err = unknownNames(q, knownRemotes(c))
	}
	if err != nil {
		return err
	}
	return v.end()
}

// unknownNames is about a source or a remote that nobody knows, for which nothing
// was found. The journal can still know what the configuration does not.
func unknownNames(q journal.Query, remotes []string) error {
	if len(remotes) == 0 {
		return nil
	}
	sources := sourcesOf(remotes)
	if q.Source != "" && !slices.Contains(sources, q.Source) {
		return &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("no source is called %q", q.Source), Hint: suggest(q.Source, sources)}
	}
	if q.Remote == "" {
		return nil
	}
	pattern := q.Remote
	if q.Source != "" {
		pattern = q.Source + "/" + q.Remote
	}
	if slices.ContainsFunc(remotes, func(r string) bool { return r == pattern || q.Source == "" && strings.HasSuffix(r, "/"+pattern) }) {
		return nil
	}
	return &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("no remote is called %q", pattern), Hint: control.Suggest(pattern, remotes)}
}

// inspectQuery resolves names and an absolute path.
func inspectQuery(c *cli.Context) (journal.Query, error) {
	q := journal.Query{Source: c.String("source"), Remote: c.String("remote"), State: c.String("state"),
		From: c.Uint64("from"), To: c.Uint64("to"), Path: strings.Trim(path.Clean(c.String("path")), "/")}
	if source, remote, ok := strings.Cut(q.Remote, "/"); ok {
		if q.Source != "" && q.Source != source {
			return q, &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("--source %s and --remote %s contradict each other", q.Source, q.Remote)}
		}
		q.Source, q.Remote = source, remote
	}
	switch q.State {
	case "", journal.StateQueued, journal.StateFailing, journal.StateAcked:
	default:
		return q, &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("--state: unknown value %q", q.State), Hint: "known are queued, failing, acked"}
	}
	if q.Path == "." {
		q.Path = ""
	}
	if !filepath.IsAbs(c.String("path")) {
		return q, nil
	}
	conf, err := load(c)
	if err != nil {
		return q, fmt.Errorf("find the source of --path: %w", err)
	}
	return q, relativeTo(conf, filepath.Clean(c.String("path")), &q)
}

func relativeTo(conf *config.Config, p string, q *journal.Query) error {
	for _, s := range conf.Sources {
		rel, ok := strings.CutPrefix(p+"/", strings.TrimSuffix(s.Path, "/")+"/")
		if ok && (q.Source == "" || q.Source == s.Name) {
			q.Source, q.Path = s.Name, strings.TrimSuffix(rel, "/")
			return nil
		}
	}
	return &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("--path: %s is in no source", p)}
}

// inspectBlock is how many rows are lined up at once: a table of everything
// would have to wait for the last row.
const inspectBlock = 1000

// inspectView prints rows, one line per entry and remote.
type inspectView struct {
	app     *app
	state   string // show only remotes in it
	table   *status.Table
	entries uint64
}

func newInspectView(a *app, state string) *inspectView {
	v := &inspectView{app: a, state: state}
	v.table = v.header()
	return v
}

func (v *inspectView) header() *status.Table {
	return status.NewTable([]string{"SEQ", "TIME", "OP", "PATH", "REMOTE", "STATE", "ATTEMPTS", "NEXT", "ERROR"})
}

func (v *inspectView) row(r control.Row) error {
	v.entries++
	if v.app.json {
		return v.app.printJSON(r)
	}
	now := v.app.now()
	head := []string{fmt.Sprint(r.Seq), clock(now, r.Time), r.Op, rowPath(r)}
	shown := false
	for _, m := range r.Remotes {
		if v.state != "" && m.State != v.state {
			continue
		}
		shown = true
		attempts, next := "", ""
		if m.Attempts > 0 {
			attempts = fmt.Sprint(m.Attempts)
		}
		if m.NextRetry != nil {
			next = status.Duration(m.NextRetry.Sub(now))
		}
		v.table.Row(append(head[:4:4], m.Remote, m.State, attempts, next, strings.TrimSpace(m.ErrorID+" "+m.Message))...)
	}
	if !shown {
		v.table.Row(append(head[:4:4], r.Source, "", "", "", "")...)
	}
	if v.table.Len() >= inspectBlock {
		return v.flush()
	}
	return nil
}

func rowPath(r control.Row) string {
	p, err := r.Raw()
	if err != nil {
		p = r.Text
	}
	if p == "" {
		return "."
	}
	return p
}

func (v *inspectView) flush() error {
	text := v.table.String()
	if v.entries > inspectBlock {
		_, text, _ = strings.Cut(text, "\n") // the header was in the first block
	}
	v.table = v.header()
	return v.app.print("%s", text)
}

func (v *inspectView) end() error {
	if v.app.json {
		return nil
	}
	if v.table.Len() > 0 {
		if err := v.flush(); err != nil {
			return err
		}
	}
	v.app.message("%s %s", status.Count(v.entries), map[bool]string{true: "entry", false: "entries"}[v.entries == 1])
	return nil
}

// clock is the time of day, with the date when it is another day.
func clock(now time.Time, t *time.Time) string {
	if t == nil {
		return "–"
	}
	local := t.In(now.Location())
	if local.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return local.Format(time.TimeOnly)
	}
	return local.Format(time.DateTime)
}
