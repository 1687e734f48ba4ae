package events

import (
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
)

// Request says what to read. At most one of From, Since and Last is set.
type Request struct {
	Source string    // only this one; "" for all
	From   string    // a Position; "" for the beginning
	Since  time.Time // from the first change at this time or later
	Last   *int      // the newest so many of all sources
	Path   string    // a Pattern
	Follow bool      // go on with what comes
}

// Kinds of lines.
const (
	KindEntry    = "entry"
	KindGap      = "gap"
	KindPosition = "position"
)

// Reasons of gaps.
const (
	GapTruncated = "truncated" // the entries were delivered, and deleted since
	GapRebuilt   = "rebuilt"   // the journal is another one
)

// Line is one line of the stream.
type Line struct {
	Event  string `json:"event"` // a kind
	Source string `json:"source,omitempty"`

	Seq         uint64     `json:"seq,omitempty"`
	Op          string     `json:"op,omitempty"` // change, remove
	*names.Path            // relative to the source; "" is its root
	Time        *time.Time `json:"time,omitempty"`     // when it was journaled
	Checksum    bool       `json:"checksum,omitempty"` // content may differ with the same size and time
	Count       uint64     `json:"count,omitempty"`    // paths that went away with it

	From   uint64 `json:"from,omitempty"` // gap: seqs that are missing, unless superseded
	To     uint64 `json:"to,omitempty"`
	Reason string `json:"reason,omitempty"`

	Position string `json:"position,omitempty"` // everything before it was given
}

func entryLine(source string, e journal.Entry, at time.Time) Line {
	p := names.NewPath(e.Path)
	l := Line{Event: KindEntry, Source: source, Seq: e.Seq, Op: "change", Path: &p, Time: &at,
		Checksum: e.Flags&journal.FlagChecksum != 0, Count: e.Count}
	if e.Op == journal.OpRemove {
		l.Op = "remove"
	}
	return l
}
