package main

import (
	"fmt"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// maxListed bounds the outages, paths and runs that are shown one by one.
const maxListed = 10

// remoteReport spells the report of one remote for people.
type remoteReport struct {
	control.RemoteReport
	now time.Time
}

func (r remoteReport) text() string {
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if r.Begin == nil && len(r.Outages) == 0 && len(r.Full) == 0 && len(r.Verify) == 0 {
		add("%s  nothing is known of this time", names.Printable(r.Remote))
	} else {
		add("%s", names.Printable(r.Remote))
	}
	if r.Begin != nil {
		add("  delivered  %s, %s, since %s", many(r.Delivered, "change"), status.Bytes(int64(min(r.Bytes, 1<<62))), clock(r.now, r.Begin))
	}
	if l := r.Latency; l != nil {
		add("  delay      median %s, 95 %% within %s, 99 %% within %s, longest %s", seconds(l.P50), seconds(l.P95), seconds(l.P99), seconds(l.Max))
	}
	if r.Behind > 0 || r.BehindNow > 0 {
		add("  behind     %s at most, %s now", seconds(max(r.Behind, r.BehindNow)), seconds(r.BehindNow))
	}
	if n := len(r.Outages); n > 0 {
		add("  outages    %s, %s in all", status.Count(uint64(n)), seconds(r.Down))
	}
	for _, o := range newest(r.Outages) {
		add("    %s", outageText(o, r.now))
	}
	if r.Failing > 0 {
		add("  failing    %s now", many(r.Failing, "path"))
	}
	for _, p := range r.Worst[:min(len(r.Worst), maxListed)] {
		add("    %s  %s, %s", dotted(&p.Path), names.Printable(p.ErrorID), many(uint64(p.Attempts), "attempt"))
	}
	for _, run := range newest(r.Full) {
		add("  full sync  %s", runText(run, r.now))
	}
	for _, run := range newest(r.Verify) {
		add("  verify     %s", runText(run, r.now))
	}
	return b.String()
}

// newest are the last of a list.
func newest[T any](list []T) []T { return list[max(0, len(list)-maxListed):] }

func outageText(o history.Outage, now time.Time) string {
	id := names.Printable(o.ErrorID)
	if id == history.Stopped {
		id = "gorsyncd was not running"
	}
	if o.End.IsZero() {
		return fmt.Sprintf("%s, %s so far  %s", clock(now, &o.Begin), seconds(now.Sub(o.Begin).Seconds()), id)
	}
	return fmt.Sprintf("%s to %s, %s  %s", clock(now, &o.Begin), clock(now, &o.End), seconds(o.End.Sub(o.Begin).Seconds()), id)
}

func runText(r history.Run, now time.Time) string {
	text := fmt.Sprintf("%s, %s", clock(now, &r.Begin), seconds(r.End.Sub(r.Begin).Seconds()))
	if r.Path != "" {
		text += ", of " + names.Printable(r.Path)
	}
	switch {
	case r.Kind == history.KindFull:
		text += fmt.Sprintf(", %s %s (%s)", status.Count(r.Dirs), plural(r.Dirs, "directory", "directories"), r.Reason)
	case !r.Complete:
		text += ", not to its end: " + r.Message
	case r.Differences == 0:
		text += fmt.Sprintf(": equal, %s", many(r.Paths, "path"))
	default:
		text += fmt.Sprintf(": %s in %s, %s repaired", many(r.Differences, "difference"), many(r.Paths, "path"), status.Count(r.Repaired))
	}
	return names.Printable(text)
}

// seconds is a time with three digits, or in the units of status when it is long.
func seconds(s float64) string {
	switch {
	case s <= 0:
		return "0s"
	case s < 1:
		return fmt.Sprintf("%.3gms", s*1000)
	case s < 60:
		return fmt.Sprintf("%.3gs", s)
	}
	return status.Duration(time.Duration(s * float64(time.Second)))
}
