package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

func (a *app) flushCommand() *cli.Command {
	return &cli.Command{
		Name:      "flush",
		Category:  "Act",
		Usage:     "wait until what was changed before the call is on the remotes",
		ArgsUsage: "[PATH...]",
		Description: `Without PATHs everything is waited for. Exit status 0: it is there,
3: not within the timeout, and what is in the way is named.

EXAMPLE
   gorsyncd flush --timeout 30s
   gorsyncd flush /data0/www/www/release --remote 'www/web*'
   gorsyncd flush --sinks`,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "remote", Aliases: []string{"r"}, Usage: "wait for `NAME` only (may be repeated)"},
			&cli.BoolFlag{Name: "sinks", Usage: "wait until sinks are told, too"},
			&cli.DurationFlag{Name: "timeout", Aliases: []string{"t"}, Value: time.Minute, Usage: "wait at most `TIME`"},
		},
		Action: withContext(a.flush),
	}
}

// flushed is the last line of flush --json.
type flushed struct {
	InSync  bool    `json:"in_sync"` // true: otherwise there is an error instead
	Seconds float64 `json:"seconds"` // that it took
}

func (a *app) flush(ctx context.Context, c *cli.Context) error {
	timeout := c.Duration("timeout")
	if timeout <= 0 {
		return &control.Error{Code: control.CodeUsage, Message: "--timeout must be positive"}
	}
	paths, err := absolutePaths(c.Args().Slice())
	if err != nil {
		return err
	}
	p := &flushView{app: a, progress: newProgressLine(a)}
	start := a.now()
	err = client(c).Flush(ctx, control.FlushRequest{Paths: paths, Remotes: c.StringSlice("remote"), Sinks: c.Bool("sinks"), Timeout: timeout}, p.show)
	p.progress.keep()
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(flushed{true, a.now().Sub(start).Seconds()})
	}
	return a.print("in sync after %s: %s\n", status.Duration(a.now().Sub(start)), p.names())
}

func absolutePaths(args []string) ([]names.Path, error) {
	out := []names.Path{}
	for _, arg := range args {
		p, err := filepath.Abs(arg)
		if err != nil {
			return nil, fmt.Errorf("find the path: %w", err)
		}
		out = append(out, names.NewPath(p))
	}
	return out, nil
}

// flushView shows progress: JSON lines with --json, else the line of the progress.
type flushView struct {
	app      *app
	progress *progressLine
	last     []control.FlushProgress
	from     map[string]uint64 // what was left of each remote at first
}

func (v *flushView) show(p control.FlushProgress) error {
	if v.from == nil {
		v.from = map[string]uint64{}
	}
	if i := slices.IndexFunc(v.last, func(o control.FlushProgress) bool { return o.Remote == p.Remote }); i >= 0 {
		v.last[i] = p
	} else {
		v.last, v.from[p.Remote] = append(v.last, p), p.Left
	}
	if v.app.json {
		return v.app.printJSON(p)
	}
	v.progress.show(v.line, v.shortLine)
	return nil
}

// line: waiting for #184223  www/web1 ✓  www/dr 1 204 → 0 ✓  www/nas 88 310 left.
func (v *flushView) line() string {
	parts := []string{"waiting"}
	if seq, one := v.fence(); one {
		parts[0] = fmt.Sprintf("waiting for #%d", seq)
	}
	for _, p := range v.last {
		name := names.Printable(p.Remote)
		switch from := v.from[p.Remote]; {
		case p.Done && from == 0:
			parts = append(parts, name+" ✓")
		case p.Done:
			parts = append(parts, fmt.Sprintf("%s %s → 0 ✓", name, status.Count(from)))
		default:
			parts = append(parts, name+" "+leftOf(p))
		}
	}
	return strings.Join(parts, "  ")
}

// leftOf: 88 310 left (12 MiB, ~4s), retrying: E-CONNECT connection refused.
func leftOf(p control.FlushProgress) string {
	text := status.Count(p.Left) + " left"
	if p.LeftBytes > 0 {
		text += " (" + status.Bytes(p.LeftBytes)
		if p.Rate >= 1 {
			text += ", ~" + status.Duration(time.Duration(float64(p.LeftBytes)/p.Rate*float64(time.Second)))
		}
		text += ")"
	}
	switch p.State {
	case "", replicate.StateInSync, replicate.StateSyncing: // that is what it waits for
		return text
	}
	text += ", " + strings.ReplaceAll(names.Printable(string(p.State)), "_", " ")
	if p.ErrorID != "" {
		text += ": " + names.Printable(p.ErrorID+" "+p.Message)
	}
	return text
}

// shortLine counts who is done, and begins with who has most left.
func (v *flushView) shortLine() string {
	waiting := slices.DeleteFunc(slices.Clone(v.last), func(p control.FlushProgress) bool { return p.Done })
	slices.SortStableFunc(waiting, func(a, b control.FlushProgress) int { return cmp.Compare(b.Left, a.Left) })
	parts := []string{fmt.Sprintf("%d of %d ✓", len(v.last)-len(waiting), len(v.last))}
	for _, p := range waiting {
		parts = append(parts, names.Printable(p.Remote)+" "+leftOf(p))
	}
	return strings.Join(parts, "  ")
}

// fence is the seq waited for, if it is the same for all: each source has its
// own.
func (v *flushView) fence() (seq uint64, one bool) {
	for i, p := range v.last {
		if i > 0 && p.Seq != seq {
			return 0, false
		}
		seq = p.Seq
	}
	return seq, seq > 0
}

func (v *flushView) names() string {
	out := make([]string, 0, len(v.last))
	for _, p := range v.last {
		out = append(out, names.Printable(p.Remote))
	}
	if len(out) == 0 {
		return "nothing to wait for"
	}
	return strings.Join(out, ", ")
}
