package sink

import (
	"fmt"
	"path"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
)

// Ops of events.
const (
	OpChange = "change" // the path exists and is new or different
	OpRemove = "remove" // the path is gone, with all below it
	OpResync = "resync" // anything may have changed: what was missed is not known
)

// Event is one change as its receiver gets it. Its JSON form is part of the
// program's interface.
type Event struct {
	ID     string `json:"id"` // the same whenever it is delivered
	Seq    uint64 `json:"seq"`
	Op     string `json:"op"`
	Source string `json:"source"`
	names.Path
	Time time.Time `json:"time"`           // when it was journaled
	Type string    `json:"type,omitempty"` // file, directory, symlink, …; "" when gone
	Size int64     `json:"size_bytes"`     // of files

	rel   string // the path relative to the root, "" for the root
	isDir bool   // known to be, or to have been, one
}

// Rel is the path as bytes, relative to the source's root.
func (e *Event) Rel() string { return e.rel }

// In is the path below a root.
func (e *Event) In(root string) string { return path.Join(root, e.rel) }

var typeNames = map[journal.Type]string{
	journal.File: "file", journal.Dir: "directory", journal.Symlink: "symlink", journal.Fifo: "fifo",
	journal.Socket: "socket", journal.CharDev: "device", journal.BlockDev: "device",
}

// newEvent describes an entry; rec is what the index has of the path, the zero
// value for nothing.
func (o *Options) newEvent(e journal.Entry, rec journal.Record) Event {
	ev := Event{
		ID: fmt.Sprintf("%.12s-%s-%d", o.JournalID, o.Source, e.Seq), Seq: e.Seq, Op: OpChange, Source: o.Source,
		Path: names.NewPath(e.Path), Time: o.Clock.OnWall(e.Time).UTC(), rel: e.Path,
	}
	if e.Op == journal.OpRemove {
		ev.Op, ev.isDir = OpRemove, e.Count > 1
		return ev
	}
	ev.Type, ev.isDir = typeNames[rec.Type], rec.Type == journal.Dir
	if rec.Type == journal.File {
		ev.Size = rec.Size
	}
	return ev
}

// resync is the event for what is not known.
func (o *Options) resync(seq uint64, at time.Time) Event {
	return Event{
		ID: fmt.Sprintf("%.12s-%s-resync-%d", o.JournalID, o.Source, seq), Seq: seq, Op: OpResync, Source: o.Source,
		Time: at.UTC(), Type: typeNames[journal.Dir], isDir: true,
	}
}
