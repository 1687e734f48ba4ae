package sink

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// Feed is the source whose entries are read. *journal.Source is one.
type Feed interface {
	Head() uint64
	Changed() <-chan struct{}
	Entries(from uint64, limit int) ([]journal.Entry, error)
	Lookup(path string) (journal.Record, bool, error)
	Stored(path string) (journal.Record, bool, error)
	Children(dir string, fn func(name string, r journal.Record, trusted bool) error) error
}

// Store keeps how far the sink has come. *journal.Remote is one.
type Store interface {
	Cursor() journal.Cursor
	FullSync() *journal.FullSync
	State() journal.RemoteState
	Retries() ([]journal.Retry, error)
	Commit(ctx context.Context, u journal.Update) error
}

// Remote is one that a sink waits for. *journal.Remote is one.
type Remote interface {
	Name() string
	Cursor() journal.Cursor
	FullSync() *journal.FullSync
	Failing(path string) (bool, error)
	Changed() <-chan struct{}
}

// Delivery hands events over to their receiver.
type Delivery interface {
	// Deliver returns when the receiver has the events, it was waited for long enough,
	// or ctx ends.
	Deliver(ctx context.Context, events []Event) Result
	// String says who the receiver is, without secrets.
	String() string
}

// Result is what a delivery came to.
type Result struct {
	replicate.Outcome // ClassOK: all were delivered

	// Left are the indices of the events that were not delivered, in order; nil for
	// all. With ClassEntry these are the ones to blame; without Left it may be any.
	Left []int
	// After is how long the receiver asks to be left alone; 0 for nothing asked.
	After time.Duration

	Status int // of an answer over HTTP, 0 for none
}

// Options of a Sink.
type Options struct {
	Source    string // name
	Name      string // without the source
	Kind      string // command, http, …: for the status
	JournalID string

	Feed     Feed
	Store    Store
	Delivery Delivery
	Gates    []Remote        // an event waits until each has it; none: for nothing
	Ready    <-chan struct{} // closed when the source has been scanned; nil: it has

	Filter      *watch.Filter // what is not excluded is told
	Ops         []string      // those that are told; none for all
	Directories bool          // changes of directories themselves, too; removals always are
	Below       bool          // a directory that is gone is told path by path, and so is a resync
	Batch       int           // events at once
	Gather      time.Duration // how long the first of a batch waits for others
	Retry       replicate.RetryOptions

	Logger *slog.Logger
	Now    func() time.Time // nil for time.Now
	Clock  replicate.Clock  // the one that entries are dated by; nil for Now
}

// nowClock is a journal's clock that goes as Now does.
type nowClock struct{ now func() time.Time }

func (c nowClock) Now() time.Time               { return c.now() }
func (c nowClock) OnWall(t time.Time) time.Time { return t }

// FullName is source/sink.
func (o *Options) FullName() string { return o.Source + "/" + o.Name }

// tells whether events of a kind are wanted.
func (o *Options) tells(op string) bool { return len(o.Ops) == 0 || slices.Contains(o.Ops, op) }

func (o *Options) scanned() bool {
	if o.Ready == nil {
		return true
	}
	select {
	case <-o.Ready:
		return true
	default:
		return false
	}
}

// JournalName is the name under which the journal keeps a sink among the remotes of
// its source. No remote is called so: their names begin with a letter or a digit.
func JournalName(name string) string { return "_" + name }

// NameOf is the inverse of JournalName; false for a remote.
func NameOf(journalName string) (name string, isSink bool) {
	if len(journalName) < 2 || journalName[0] != '_' {
		return journalName, false
	}
	return journalName[1:], true
}
