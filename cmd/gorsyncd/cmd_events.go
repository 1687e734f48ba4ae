package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
)

func (a *app) eventsCommand() *cli.Command {
	return &cli.Command{
		Name:     "events",
		Category: "Look",
		Usage:    "the stream of journaled changes, from any point on",
		Description: `Each change of each source, in the order in which it was journaled; without
--from or --since everything that the journal still has. A newer change of a path
takes the place of the older ones, so each path comes with its newest.

With --json there are position lines: what one says can be given to --from later,
also to another run, and nothing is left out or comes twice. Where the journal
does not reach back to what was asked for, a gap line says what is missing, and
the exit status is 3. --follow goes on until it is interrupted and waits for a
daemon that is restarted; without it the journal is read when no daemon runs, too.
More: gorsyncd docs events

EXAMPLE
   gorsyncd events --since 1h --path '*.jpg'
   gorsyncd events --source www --from 184201
   gorsyncd events --follow --json --from "$(cat position)"`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on with what changes from now on"},
			&cli.StringFlag{Name: "from", Usage: "begin with `SEQ`, SOURCE:SEQ, or what a position line said"},
			&cli.StringFlag{Name: "since", Usage: "begin a `TIME` ago, such as 30m, 2h or 1d, or at one, such as 2026-11-30T08:00"},
		}, eventFlags()...),
		Action: withContext(func(ctx context.Context, c *cli.Context) error {
			q := events.Request{Source: c.String("source"), From: c.String("from"), Path: c.String("path"), Follow: c.Bool("follow")}
			var err error
			if q.Since, err = a.since(c); err != nil {
				return err
			}
			return a.events(ctx, c, q)
		}),
	}
}

func (a *app) tailCommand() *cli.Command {
	return &cli.Command{
		Name:  "tail",
		Usage: "the newest changes of the journal",
		Description: `A short form of events, which explains the rest.

EXAMPLE
   gorsyncd journal tail
   gorsyncd journal tail -n 0 -f --path '*.jpg'`,
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "lines", Aliases: []string{"n"}, Value: 20, Usage: "`COUNT` of changes to begin with"},
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on with what changes from now on"},
		}, eventFlags()...),
		Action: withContext(func(ctx context.Context, c *cli.Context) error {
			n := c.Int("lines")
			return a.events(ctx, c, events.Request{Last: &n, Source: c.String("source"), Path: c.String("path"), Follow: c.Bool("follow")})
		}),
	}
}

// eventFlags say which changes are shown.
func eventFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "path", Aliases: []string{"p"}, Usage: "only what `PATTERN` matches, and all below it; an rsync pattern, as in exclude:"},
		&cli.StringFlag{Name: "source", Aliases: []string{"s"}, Usage: "only the source `NAME`"},
	}
}

// since is the moment that --since names, zero without it.
func (a *app) since(c *cli.Context) (time.Time, error) {
	text := c.String("since")
	if text == "" {
		return time.Time{}, nil
	}
	if c.String("from") != "" {
		return time.Time{}, &control.Error{Code: control.CodeUsage, Message: "--from and --since contradict each other"}
	}
	t, err := parseSince(a.now(), text)
	if err != nil {
		return t, &control.Error{Code: control.CodeUsage, Message: "--since: " + err.Error(), Err: err}
	}
	return t, nil
}

// parseSince takes a length of time, or a moment, local unless it says otherwise.
func parseSince(now time.Time, text string) (time.Time, error) {
	if d, err := config.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a length of time, such as 30m, 2h or 7d, nor a moment, such as 2026-11-30T08:00", text)
}

// reconnectEvery is how long a follower waits before it asks for a daemon that is
// gone again.
const reconnectEvery = time.Second

// events shows a stream, through the daemon or without it.
func (a *app) events(ctx context.Context, c *cli.Context, q events.Request) error {
	if err := noArgs(c); err != nil {
		return err
	}
	if _, err := events.ParsePattern(q.Path); err != nil {
		return &control.Error{Code: control.CodeUsage, Message: "--path: " + err.Error(), Err: err}
	}
	v := &eventsView{app: a}
	err := client(c).Events(ctx, q, v.show)
	switch {
	case q.Follow:
		err = a.follow(ctx, c, q, v, err)
	case unreachable(err) && v.seen == nil:
		view, oerr := openOffline(c)
		if oerr != nil {
			return oerr
		}
		defer view.Close() // read-only, or a copy
		a.origin(view.How())
		err = view.Events(ctx, q, v.show)
	}
	if err != nil {
		return err
	}
	return v.end()
}

// follow goes on where the stream broke off, as often as it does.
func (a *app) follow(ctx context.Context, c *cli.Context, q events.Request, v *eventsView, err error) error {
	for away := false; v.brokeOff(ctx, err); {
		if !away {
			away = true
			a.message("the daemon is away; waiting for it")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reconnectEvery):
		}
		q.From, q.Since, q.Last = v.seen.String(), time.Time{}, nil
		err = client(c).Events(ctx, q, func(l events.Line) error {
			if away {
				away = false
				a.message("the daemon is back")
			}
			return v.show(l)
		})
	}
	return err
}
