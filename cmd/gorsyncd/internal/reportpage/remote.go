package reportpage

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// maxListed bounds the outages, paths and runs that are shown one by one.
const maxListed = 50

// none stands for "nothing to say" in a cell.
const none = "–"

// remote is one remote, spelt.
type remote struct {
	ID   string // of its section
	Name string
	Away bool // it could not be delivered to all the time

	Known        bool
	KnownSince   string // "" when all of the time is known
	Availability string
	Lag99        string // 99 % of the changes were there within
	LagWorst     string // longest that it was behind
	BehindNow    string
	Changes      string
	Bytes        string
	Down         string // by errors
	Stopped      string // gorsyncd did not run
	Failing      string // "" for none

	Lag     plot
	Traffic plot

	Outages     []outageRow
	MoreOutages int
	Paths       []pathRow
	MorePaths   int
	Runs        []runRow
	MoreRuns    int
}

type outageRow struct{ Begin, End, Took, Cause string }

type pathRow struct {
	Path, Cause string
	Attempts    int
	First       string
}

type runRow struct {
	What, Begin, Took, Result string
	Bad                       bool
}

func (b *builder) remote(r control.RemoteReport) remote {
	out := remote{ID: fmt.Sprintf("r%x", r.Remote), Name: names.Printable(r.Remote), Availability: none, Lag99: none, LagWorst: none,
		BehindNow: span(seconds(r.BehindNow)), Changes: count(r.Delivered), Bytes: size(r.Bytes), Down: none, Stopped: none}
	if r.BehindNow <= 0 {
		out.BehindNow = none
	}
	from, known := b.known(r)
	parts := b.outages(r)
	if out.Known = known; known {
		out.figures(r, parts, b.until.Sub(from))
		if from.After(b.since) {
			out.KnownSince = fmt.Sprintf(b.words.KnownSince, b.moment(from))
		}
	}
	if r.Failing > 0 {
		out.Failing = count(r.Failing)
	}
	out.Away = covered(parts) > 0
	out.Lag, out.Traffic = b.lagPlot(r, parts, from), b.trafficPlot(r, parts, from)
	b.outageRows(&out, parts)
	b.pathRows(&out, r)
	b.runRows(&out, r)
	return out
}

func (r *remote) figures(rep control.RemoteReport, parts []part, known time.Duration) {
	r.LagWorst = span(seconds(max(rep.Behind, rep.BehindNow)))
	if rep.Latency != nil {
		r.Lag99 = span(seconds(rep.Latency.P99))
	}
	all := covered(parts)
	stopped := covered(slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return !p.stopped() }))
	if d := all - stopped; d > 0 {
		r.Down = span(d)
	}
	if stopped > 0 {
		r.Stopped = span(stopped)
	}
	if known > 0 {
		r.Availability = percent(1 - float64(all)/float64(known))
	}
}

// percent has two digits behind the point, and is 100 only when nothing is missing.
func percent(part float64) string {
	p := math.Floor(max(0, min(1, part))*10000) / 100
	if p == 100 {
		return "100 %"
	}
	return strconv.FormatFloat(p, 'f', 2, 64) + " %"
}

func (b *builder) outageRows(out *remote, parts []part) {
	out.MoreOutages = max(0, len(parts)-maxListed)
	for _, p := range slices.Backward(parts[out.MoreOutages:]) {
		row := outageRow{Begin: b.moment(p.Begin), End: b.moment(p.End), Took: span(p.End.Sub(p.Begin)), Cause: names.Printable(p.ErrorID)}
		if p.lasts {
			row.End, row.Took = b.words.Lasts, span(b.until.Sub(p.Begin))
		}
		if p.stopped() {
			row.Cause = b.words.NotRunning
		}
		out.Outages = append(out.Outages, row)
	}
}

func (b *builder) pathRows(out *remote, r control.RemoteReport) {
	out.MorePaths = int(r.Failing) - len(r.Worst)
	for _, p := range r.Worst {
		out.Paths = append(out.Paths, pathRow{p.String(), strings.TrimSpace(names.Printable(p.ErrorID + " " + p.Message)), p.Attempts, b.moment(p.First)})
	}
}

func (b *builder) runRows(out *remote, r control.RemoteReport) {
	runs := slices.Concat(r.Full, r.Verify)
	slices.SortStableFunc(runs, func(x, y history.Run) int { return y.End.Compare(x.End) })
	out.MoreRuns = max(0, len(runs)-maxListed)
	for _, run := range runs[:len(runs)-out.MoreRuns] {
		row := runRow{What: b.words.FullSync, Begin: b.moment(run.Begin), Took: span(run.End.Sub(run.Begin))}
		switch {
		case run.Kind == history.KindFull:
			row.Result = fmt.Sprintf(b.words.FullResult, count(run.Dirs), names.Printable(run.Reason))
		case !run.Complete:
			row.What, row.Result, row.Bad = b.words.Verify, fmt.Sprintf(b.words.NotComplete, names.Printable(run.Message)), true
		case run.Differences == 0:
			row.What, row.Result = b.words.Verify, fmt.Sprintf(b.words.Equal, count(run.Paths))
		default:
			row.What, row.Bad = b.words.Verify, true
			row.Result = fmt.Sprintf(b.words.Differences, count(run.Differences), count(run.Paths), count(run.Repaired))
		}
		if run.Path != "" {
			row.What += " " + names.Printable(run.Path)
		}
		if run.Checksum {
			row.What += b.words.ByContent
		}
		out.Runs = append(out.Runs, row)
	}
}

func seconds(s float64) time.Duration { return time.Duration(min(s, 1e9) * float64(time.Second)) }

// span is a length of time: 12.6 ms, 3.98s, 2h13m.
func span(d time.Duration) string {
	switch {
	case d <= 0:
		return "0s"
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	case d < time.Minute:
		return fmt.Sprintf("%.3gs", d.Seconds())
	}
	return status.Duration(d)
}

func count(n uint64) string { return status.Count(n) }

func size(n uint64) string { return status.Bytes(n) }
