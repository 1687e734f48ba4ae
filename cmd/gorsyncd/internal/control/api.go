package control

import (
	"context"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// API is what the daemon does for its users. Every method may be called
// concurrently with every other and returns soon after ctx ends. Errors that
// should reach the user with a code of their own are an *Error; a
// *config.Errors, journal.ErrLocked, context.DeadlineExceeded and
// os.ErrPermission are recognised, anything else is "internal".
//
// Names in requests are names or globs of remotes, see Select.
type API interface {
	Viewer
	Overseer
	Operator
	JournalReader
	Historian
}

// Viewer answers questions and changes nothing.
type Viewer interface {
	Status(ctx context.Context) (status.Status, error)
	// Explain says what becomes of one absolute path. A path outside of every
	// source is an *Error with CodeNotFound.
	Explain(ctx context.Context, path string) (Explanation, error)
	// ConfigShow is the running configuration, as config.Config.Show gives it.
	ConfigShow(ctx context.Context) (string, error)
}

// Overseer answers what a page about many remotes asks, at a cost that does not grow
// with how much is wrong.
type Overseer interface {
	// Names are the full names of all remotes and sinks, in the order of the
	// configuration.
	Names(ctx context.Context) ([]string, error)
	Lag(ctx context.Context) (LagSeries, error)
	Entries(ctx context.Context, q EntriesQuery) (EntriesPage, error)
	// Held tells what a guard keeps from the remote of that full name, limit
	// paths of it at most.
	Held(ctx context.Context, name string, limit int) (Held, error)
}

// Operator does what an operator asks for.
type Operator interface {
	// Flush returns nil when every change made before the call is on the
	// chosen remotes, and an *Error with CodeNotInSync that names what is in
	// the way when ctx ends first. It calls progress from one goroutine, at
	// least when a remote's remaining count changes, and not after returning.
	Flush(ctx context.Context, r FlushRequest, progress func(FlushProgress)) error
	// Sync asks for a full sync of each chosen remote and returns when that is
	// durably noted, or does the dry run and calls line for each difference.
	Sync(ctx context.Context, r SyncRequest, line func(SyncProgress)) error
	// Verify compares each chosen remote with its source. It calls line for what
	// there is to tell, never at the same time and not after returning; the last
	// line of each remote is its result, also of one that could not be compared.
	Verify(ctx context.Context, r VerifyRequest, line func(VerifyLine)) error
	// StartVerify begins to compare each chosen remote and returns their names. How
	// far it is, and what it comes to, is in the status. It is an *Error with
	// CodeBusy where a verify is under way.
	StartVerify(ctx context.Context, r VerifyRequest) ([]string, error)
	// The others return the full names of the remotes they acted on.
	Retry(ctx context.Context, r RetryRequest) ([]string, error)
	Pause(ctx context.Context, r PauseRequest) ([]string, error)
	Resume(ctx context.Context, names []string) ([]string, error)
	Approve(ctx context.Context, names []string) ([]string, error)
	// Reload reads the configuration again and applies it, or only says what that
	// would do. A configuration with a mistake changes nothing.
	Reload(ctx context.Context, r ReloadRequest) (ReloadResult, error)
}

// JournalReader gives insight into the journal.
type JournalReader interface {
	// Inspect calls row for each entry in order; an error of row ends it and
	// is returned.
	Inspect(ctx context.Context, q journal.Query, row func(journal.Row) error) error
	JournalStats(ctx context.Context) (journal.Stats, error)
	JournalCheck(ctx context.Context) (journal.Report, error)
}

// Historian tells of what has happened, and goes back to it.
type Historian interface {
	// Events calls line for what the request selects, from one goroutine; an
	// error of line ends it and is returned. Meanwhile nothing waits for line.
	Events(ctx context.Context, r events.Request, line func(events.Line) error) error
	// Replay has what was journaled since some moment sent again to the chosen
	// remotes, and returns when that is durably noted. Nothing is noted for any
	// of them when the journal of one does not reach back that far, which is an
	// *Error with CodeGap. It calls line for each path of a dry run, and last for
	// the result of each remote.
	Replay(ctx context.Context, r ReplayRequest, line func(ReplayLine) error) error
	// Report sums up how the chosen remotes were served.
	Report(ctx context.Context, r ReportRequest) (Report, error)
	// JournalCompact frees what the journal can free now.
	JournalCompact(ctx context.Context) (JournalCompacted, error)
}

// FlushRequest says what to wait for.
type FlushRequest struct {
	Paths   []names.Path  `json:"paths"`   // absolute; none: everything
	Remotes []string      `json:"remotes"` // names or globs; none: all that have the paths
	Sinks   bool          `json:"sinks"`   // those of all sources, too
	Timeout time.Duration `json:"timeout"` // nanoseconds; 0: the server's limit
}

// FlushProgress is the state of one remote while a flush waits.
type FlushProgress struct {
	Remote string `json:"remote"` // full name
	Seq    uint64 `json:"seq"`    // the fence: waiting for this entry of the source
	Left   uint64 `json:"left"`   // entries still to be delivered
	Done   bool   `json:"done"`

	// What is in the way, while it waits.
	State     replicate.State `json:"state,omitempty"`
	LeftBytes int64           `json:"left_bytes,omitempty"` // as far as sizes are known
	Rate      float64         `json:"rate_bytes_per_second,omitempty"`
	ErrorID   string          `json:"error_id,omitempty"`
	Message   string          `json:"message,omitempty"`
}

// SyncRequest asks for a full sync.
type SyncRequest struct {
	Names    []string   `json:"names"` // none: all remotes
	Sub      names.Path `json:"sub"`   // below the source; "" for all of it; absolute paths are accepted
	Checksum bool       `json:"checksum"`
	DryRun   bool       `json:"dry_run"`
}

// SyncProgress is one remote that was told to sync, or one difference that a
// dry run has found on it.
type SyncProgress struct {
	Remote string `json:"remote"`
	Line   string `json:"line,omitempty"` // itemized, dry run only; made printable on its way out
}

// RetryRequest skips the back-off of remotes or of single paths.
type RetryRequest struct {
	Names []string     `json:"names"` // none: all remotes
	Paths []names.Path `json:"paths"` // absolute; none: all that failed
}

// PauseRequest stops remotes; events stay journaled.
type PauseRequest struct {
	Names  []string      `json:"names"` // at least one
	For    time.Duration `json:"for"`   // nanoseconds; 0: until resumed
	Reason string        `json:"reason"`
}

// ReloadRequest asks for a reload.
type ReloadRequest struct {
	DryRun bool     `json:"dry_run"`
	Forget []string `json:"forget"` // names or globs of remotes that are not configured: nothing is kept for them any more
}

// ReloadResult is what a reload did, or would do.
type ReloadResult struct {
	DryRun  bool     `json:"dry_run"`
	Changes []Change `json:"changes"` // every remote has one, and what else was changed
}

// Change is what becomes of a remote, a source or a key of the configuration.
type Change struct {
	Name   string     `json:"name"` // source/remote, source, or a key such as log.level
	Change ChangeKind `json:"change"`
	Text   string     `json:"text"` // for people
}

// ChangeKind is what a reload does with something.
type ChangeKind string

const (
	Unchanged    ChangeKind = "unchanged"     // it goes on, whatever it is doing
	Added        ChangeKind = "added"         // new, or configured again
	Updated      ChangeKind = "updated"       // applied without an interruption
	Restarted    ChangeKind = "restarted"     // begun anew, going on from where it was
	Removed      ChangeKind = "removed"       // stopped; its place in the journal is kept
	Forgotten    ChangeKind = "forgotten"     // nothing is kept for it any more
	NeedsRestart ChangeKind = "needs_restart" // not applied: only a start of the daemon can
)

// Explanation is what becomes of a path.
type Explanation struct {
	names.Path               // absolute
	Source     string        `json:"source"`
	Exists     bool          `json:"exists"`
	Type       string        `json:"type"` // file, directory, symlink, …; "" when it does not exist
	SizeBytes  int64         `json:"size_bytes"`
	Modified   *time.Time    `json:"modified"`
	Filter     watch.Verdict `json:"filter"`
	Watched    bool          `json:"watched"`
	WatchNote  string        `json:"watch_note,omitempty"` // why not, or until when
	Behind     bool          `json:"attributes_behind"`    // attributes changed since, and go with the next change of content
	Entry      *EntryInfo    `json:"entry"`                // newest journal entry; nil when none is kept
	Remotes    []RemotePath  `json:"remotes"`
}

// EntryInfo is a journal entry without its path.
type EntryInfo struct {
	Seq  uint64    `json:"seq"`
	Op   string    `json:"op"` // change, remove
	Time time.Time `json:"time"`
}

// RemotePath is the state of a path on one remote. For an excluded path there
// are none.
type RemotePath struct {
	Remote    string     `json:"remote"`             // full name
	State     string     `json:"state"`              // delivered, queued, in_flight, failing, full_sync, held, paused, excluded
	Position  uint64     `json:"position,omitempty"` // queued: entries before it, plus one
	Note      string     `json:"note,omitempty"`     // text for people
	ErrorID   string     `json:"error_id,omitempty"`
	Message   string     `json:"message,omitempty"`
	Attempts  int        `json:"attempts,omitempty"`
	NextRetry *time.Time `json:"next_retry,omitempty"`
}
