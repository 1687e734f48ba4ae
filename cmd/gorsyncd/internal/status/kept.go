package status

import (
	"fmt"
	"time"
)

// Kept is a remote that the journal knows and the configuration does not. Its
// place is kept, and with it the entries it has not had, until it is configured
// again or forgotten.
type Kept struct {
	Name        string     `json:"name"` // source/remote
	Source      string     `json:"source"`
	Remote      string     `json:"remote"`
	Target      string     `json:"target"` // where it was replicated to; "" if it never was
	CursorSeq   uint64     `json:"cursor_seq"`
	HeadSeq     uint64     `json:"head_seq"`
	LagEntries  uint64     `json:"lag_entries"` // kept for it
	LagSeconds  float64    `json:"lag_seconds"` // age of the oldest of them
	Failing     uint64     `json:"failing"`     // paths in its retry set
	FullSync    bool       `json:"full_sync"`   // it needs one when it is back
	LastSuccess *time.Time `json:"last_success"`
}

// line: www/old is no longer configured; the journal keeps 12 entries for it,
// since 3h: gorsyncd reload --forget www/old.
func (k Kept) line() string {
	what := "the journal keeps its place"
	if n := k.LagEntries + k.Failing; n > 0 {
		what = fmt.Sprintf("the journal keeps %s %s for it", Count(n), plural(n, "entry", "entries"))
		if k.LagSeconds > 0 {
			what += fmt.Sprintf(", the oldest from %s ago", Duration(seconds(k.LagSeconds)))
		}
	}
	return fmt.Sprintf("%s is no longer configured; %s: gorsyncd reload --forget %s", k.Name, what, k.Name)
}

// keptLines names each one of a few, and of many those that hold most.
func (s Status) keptLines() []string {
	const most = 10
	var lines []string
	for _, k := range s.Kept[:min(most, len(s.Kept))] {
		lines = append(lines, k.line())
	}
	if more := len(s.Kept) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("%d more are no longer configured: gorsyncd status --json", more))
	}
	return lines
}
