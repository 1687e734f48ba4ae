package replicate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorsyncd/journal"
)

// State is what a remote is doing, in one word that is the same everywhere.
type State string

const (
	StateStarting State = "starting"
	StateFullSync State = "full_sync"
	StateInSync   State = "in_sync"
	StateSyncing  State = "syncing"
	StateRetrying State = "retrying" // will heal itself
	StateFailing  State = "failing"  // needs a person
	StateHeld     State = "held"
	StatePaused   State = "paused"
	StateWaiting  State = "waiting" // for its window
)

// failingAfter is how many attempts make a failing path one for a person.
const failingAfter = 5

// Status is a remote as seen at one moment. Its JSON form is part of the
// program's interface: base units are in the names, lists are never null.
type Status struct {
	Name   string `json:"name"` // source/remote
	Source string `json:"source"`
	Remote string `json:"remote"`
	Target string `json:"target"`
	State  State  `json:"state"`

	CursorSeq  uint64  `json:"cursor_seq"`
	HeadSeq    uint64  `json:"head_seq"`
	LagEntries uint64  `json:"lag_entries"` // entries that are not there, and paths in the retry set
	Pinned     uint64  `json:"-"`           // the former only: the journal has to keep those
	LagSeconds float64 `json:"lag_seconds"` // age of the oldest change that is not there; see Lag
	LagBytes   int64   `json:"lag_bytes"`   // as far as sizes are known

	InFlight    []BatchStatus   `json:"in_flight"`
	Rate        float64         `json:"rate_bytes_per_second"` // on the wire, lately
	LastSuccess *time.Time      `json:"last_success"`
	LastFull    *time.Time      `json:"last_full_sync"`
	Failing     int             `json:"failing"` // paths in the retry set that have failed
	Paused      *PauseStatus    `json:"paused"`
	Opens       *time.Time      `json:"opens"`                    // its window, next; nil when it is open
	Limit       int64           `json:"bwlimit_bytes_per_second"` // in force, for each rsync; 0 is none
	LimitUntil  *time.Time      `json:"bwlimit_until"`            // when another one comes into force; nil for never
	Held        *HeldStatus     `json:"held"`
	FullSync    *FullSyncStatus `json:"full_sync"`
	Verify      *VerifyStatus   `json:"verify"`
	Error       *StatusError    `json:"error"`
	Findings    []FindingStatus `json:"findings"` // what the remote does not keep

	Transfers uint64 `json:"transfers"` // rsync runs since start
	Files     uint64 `json:"files"`
	Bytes     int64  `json:"bytes"` // of files, at their full size
	WireBytes int64  `json:"wire_bytes"`
	Deleted   uint64 `json:"deleted"`
	Retries   uint64 `json:"retries"` // failed attempts of paths
}

// BatchStatus is one rsync under way.
type BatchStatus struct {
	ID      uint64    `json:"id"`
	Kind    string    `json:"kind"`
	Paths   int       `json:"paths"`
	Bytes   int64     `json:"bytes"` // of its files; about, for those of a full sync
	Started time.Time `json:"started"`
	Sample  string    `json:"sample"` // one of the paths

	// Of now, by Status.Progress, as far as it can be told.

	BytesDone int64         `json:"bytes_done"`            // read of its files to send them, at most bytes; those that are equal are not
	Rate      float64       `json:"rate_bytes_per_second"` // of that, lately
	Current   *FileProgress `json:"current"`               // the file it has open; null when it has none, or that is not known

	progress *progress
	full     bool // of a full sync
}

// PauseStatus is a pause.
type PauseStatus struct {
	Reason string     `json:"reason"`
	Until  *time.Time `json:"until"`
}

// HeldStatus is a hold.
type HeldStatus struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// FullSyncStatus is the progress of a full sync, in directories.
type FullSyncStatus struct {
	Reason   string    `json:"reason"`
	Path     string    `json:"path"`
	Started  time.Time `json:"started"`
	Checksum bool      `json:"checksum"`
	Waiting  bool      `json:"waiting"` // for the first scan of the source, or its approval
	Links    bool      `json:"links"`   // only hard links are left
	Done     uint64    `json:"done"`
	Total    uint64    `json:"total"`

	// What is left of it, about; all null until it has begun to be compared.
	FilesLeft   *uint64  `json:"files_left"`
	BytesLeft   *int64   `json:"bytes_left"`   // of files, equal or not
	SecondsLeft *float64 `json:"seconds_left"` // at the rate so far; null when that says nothing yet

	// What SecondsLeft is made of, for advance.
	spent          time.Duration
	done, leftOver float64 // as costs
	bytesLeft      int64
}

// VerifyStatus is what is known from comparisons with the source.
type VerifyStatus struct {
	// Unrepaired are the paths that are known to differ: while there are any the
	// remote has the error E-DIVERGED.
	Unrepaired uint64     `json:"unrepaired"`
	FoundAt    *time.Time `json:"found_at"` // when one of them was last found

	// Of the last one that came to its end, or found something; nil or zero when
	// there was none.
	Last        *time.Time `json:"last"` // its end
	Path        string     `json:"path"`
	Checksum    bool       `json:"checksum"`
	Complete    bool       `json:"complete"`
	Dirs        uint64     `json:"directories"`
	Paths       uint64     `json:"paths"`
	Differences uint64     `json:"differences"`
	Repaired    uint64     `json:"repaired"`

	Scheduled *time.Time      `json:"scheduled"` // the last moment of the schedule that was served
	Running   *VerifyProgress `json:"running"`   // nil when none is under way
}

// idDiverged is the error of a remote that is known to differ from its source
// without anything being on its way to repair that.
const idDiverged = "E-DIVERGED"

// NewVerifyStatus returns nil when nothing is known.
func NewVerifyStatus(v journal.VerifyState, running *VerifyProgress) *VerifyStatus {
	if v == (journal.VerifyState{}) && running == nil {
		return nil
	}
	return &VerifyStatus{
		Unrepaired: v.Diverged, FoundAt: timePtr(v.DivergedAt), Last: timePtr(v.Ended), Path: v.Sub, Checksum: v.Checksum,
		Complete: v.Complete, Dirs: v.Dirs, Paths: v.Paths, Differences: v.Found, Repaired: v.Repaired,
		Scheduled: timePtr(v.Scheduled), Running: running,
	}
}

// Diverged is the error to show for paths that are known to differ, nil for
// none.
func (v *VerifyStatus) Diverged(remote string) *StatusError {
	if v == nil || v.Unrepaired == 0 {
		return nil
	}
	what := "paths differ"
	if v.Unrepaired == 1 {
		what = "path differs"
	}
	return &StatusError{ID: idDiverged, Class: ClassConfig, Message: fmt.Sprintf("%d %s from the source", v.Unrepaired, what),
		Hint: "gorsyncd verify " + remote + " --repair"}
}

// StatusError is the trouble of a remote, or of the path that failed most.
type StatusError struct {
	ID        string     `json:"id"`
	Class     Class      `json:"class"`
	RsyncExit int        `json:"rsync_exit"`
	Message   string     `json:"message"`
	Hint      string     `json:"hint"`
	Path      string     `json:"path,omitempty"` // class entry
	Attempts  int        `json:"attempts"`
	NextRetry *time.Time `json:"next_retry"`
}

// Status returns the present state. It never waits long: a remote whose source
// hangs answers with what it last said.
func (d *Dispatcher) Status() Status {
	select {
	case <-d.started:
	default:
		return d.atRest()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := d.do(ctx, func() { d.snapshot() })
	last := d.last.Load()
	switch {
	case last == nil:
		return d.atRest()
	case err != nil:
		return d.aged(*last)
	}
	return last.Status
}

// snapshot is a status with what its lag was made of.
type snapshot struct {
	Status
	since time.Time // Lag.Since
	read  uint64    // of the journal
}

// aged is what a remote last said, but for what is known without it: its lag goes
// on.
func (d *Dispatcher) aged(s snapshot) Status {
	if head := d.o.Feed.Head(); head > s.HeadSeq {
		s.LagEntries += head - s.HeadSeq
		s.Pinned += head - s.HeadSeq
		s.HeadSeq = head
		if s.since.IsZero() {
			s.since = UnreadSince(d.o.Feed, s.read, d.o.Name)
		}
	}
	s.LagSeconds = Lag{Since: s.since}.Seconds(d.o.Clock.Now())
	return s.Status
}

// atRest is the status before Run, from what is stored.
func (d *Dispatcher) atRest() Status {
	s := d.base(StateStarting)
	s.CursorSeq = d.o.Store.Cursor().Low
	if l, err := StoredLag(d.o.Feed, d.o.Store, d.o.Name); err == nil { // else Run says it
		s.LagEntries, s.Pinned, s.LagSeconds = l.Entries+l.Owed, l.Entries, l.Seconds(d.o.Clock.Now())
	}
	s.decided(d.o.Store.State())
	if f := d.o.Store.FullSync(); f != nil {
		s.FullSync = fullStatus(*f, true)
	}
	return s
}

func (d *Dispatcher) base(state State) Status {
	now, limit := time.Now(), d.o.Rsync.BWLimit
	return Status{Name: d.o.Source + "/" + d.o.Name, Source: d.o.Source, Remote: d.o.Name, Target: d.o.Target.String(),
		Limit: limit.At(now), LimitUntil: timePtr(limit.Change(now)), State: state, HeadSeq: d.o.Feed.Head(), InFlight: []BatchStatus{}, Findings: []FindingStatus{}}
}

// decided fills in what persons and guards decided, and the last success.
func (s *Status) decided(st journal.RemoteState) {
	s.LastSuccess, s.LastFull = timePtr(st.LastSuccess), timePtr(st.LastFull)
	s.Findings = FindingsOf(st)
	s.Verify = NewVerifyStatus(st.Verify, nil)
	if st.Paused {
		s.Paused = &PauseStatus{Reason: st.PauseReason, Until: timePtr(st.PausedUntil)}
	}
	if st.Held != "" {
		s.Held = &HeldStatus{Reason: st.Held, Since: st.HeldSince}
	}
}

func fullStatus(f journal.FullSync, waiting bool) *FullSyncStatus {
	return &FullSyncStatus{Reason: f.Reason, Path: f.Sub, Started: f.Started, Checksum: f.Checksum,
		Waiting: waiting, Links: f.Links, Done: f.Done, Total: f.Total}
}

// fileCost is how many bytes of content cost about as much time as one more file.
const fileCost = 16 << 10

// left fills in what is left of a full sync.
func (s *FullSyncStatus) left(f *fullSync, now time.Time) {
	if f.since.IsZero() {
		return
	}
	done := f.finished()
	left := f.todo.Sub(done)
	s.FilesLeft, s.BytesLeft = &left.Files, &left.Bytes
	cost := func(w journal.Weight) float64 { return float64(w.Bytes) + fileCost*float64(w.Files+w.Dirs) }
	s.spent, s.leftOver, s.bytesLeft = now.Sub(f.since), cost(left), left.Bytes
	if done.Dirs > 0 {
		s.done = cost(done)
		s.SecondsLeft = secondsLeft(s.spent, s.done, s.leftOver)
	}
}

func secondsLeft(spent time.Duration, done, left float64) *float64 {
	seconds := spent.Seconds() * left / done
	return &seconds
}

// advance counts bytes of chunks that are under way as done. One of few big files
// would say nothing of the time that is left before it ends.
func (s *FullSyncStatus) advance(bytes int64) {
	if bytes <= 0 || s.BytesLeft == nil {
		return
	}
	bytes = min(bytes, s.bytesLeft)
	left := s.bytesLeft - bytes
	s.BytesLeft = &left
	s.SecondsLeft = secondsLeft(s.spent, s.done+float64(bytes), max(0, s.leftOver-float64(bytes)))
}

func (d *Dispatcher) snapshot() {
	s, l := d.status()
	d.last.Store(&snapshot{s, l.Since, d.ledger.read})
}

func (d *Dispatcher) status() (Status, Lag) {
	now, lag := time.Now(), d.lag()
	s := d.base(d.word(now))
	if open := d.o.Window.Open(now); !open {
		s.Opens = timePtr(d.o.Window.Change(now))
	}
	s.CursorSeq, s.LagEntries, s.Pinned = d.completed.cursor.Low, lag.Entries+lag.Owed, lag.Entries
	s.LagSeconds = lag.Seconds(d.o.Clock.Now())
	for it := range d.unacked() {
		s.LagBytes += it.Size
	}
	for _, b := range d.flights {
		s.InFlight = append(s.InFlight, b.status())
	}
	slices.SortFunc(s.InFlight, func(a, b BatchStatus) int { return int(a.ID) - int(b.ID) })
	s.Rate = d.stats.rate(now)
	s.decided(d.state)
	s.Verify = NewVerifyStatus(d.state.Verify, d.verifying.Load())
	if d.full != nil {
		s.FullSync = fullStatus(d.full.rec, !d.sourceReady())
		s.FullSync.Done = d.full.progress()
		s.FullSync.left(d.full, now)
	}
	s.Failing, s.Error = d.trouble()
	s.Transfers, s.Files, s.Deleted, s.Retries = d.stats.transfers, d.stats.files, d.stats.deleted, d.stats.retries
	s.Bytes, s.WireBytes = d.stats.bytes, d.stats.wire
	return s, lag
}

// word sums the state up.
func (d *Dispatcher) word(now time.Time) State {
	switch st := d.doing(); st {
	case StateFullSync, StateSyncing, StateRetrying:
		if !d.o.Window.Open(now) && d.busy() == 0 {
			return StateWaiting
		}
		return st
	default:
		return st
	}
}

// doing is what the remote does, or would do in its window.
func (d *Dispatcher) doing() State {
	failing, most := 0, 0
	for _, e := range d.retries.byPath {
		if e.failed() {
			failing++
			most = max(most, e.Attempts)
		}
	}
	switch {
	case d.state.Paused:
		return StatePaused
	case d.state.Held != "":
		return StateHeld
	case d.breaker.open() && d.breaker.out.Class == ClassConfig:
		return StateFailing
	case d.breaker.open():
		return StateRetrying
	case d.full != nil && !d.scanned():
		return StateStarting
	case d.full != nil && d.full.onlyStuck():
		if _, c := d.full.stuck(); c.attempts >= failingAfter {
			return StateFailing
		}
		return StateRetrying
	case d.full != nil:
		return StateFullSync
	case most >= failingAfter:
		return StateFailing
	case failing > 0:
		return StateRetrying
	case d.state.Verify.Diverged > 0:
		return StateFailing
	case len(d.tidy.dirs) > 0 || d.ledger.open > 0 || d.retries.len() > 0 || d.busy() > 0 || d.ledger.read < d.o.Feed.Head():
		return StateSyncing
	}
	return StateInSync
}

// trouble counts the failing paths, and directories of a full sync, and picks the error to show: the remote's
// own, else that of the path with most attempts.
func (d *Dispatcher) trouble() (failing int, show *StatusError) {
	var worst *retryEntry
	for _, e := range d.retries.byPath {
		if !e.failed() {
			continue
		}
		failing++
		if worst == nil || e.Attempts > worst.Attempts || e.Attempts == worst.Attempts && strings.Compare(e.Path, worst.Path) < 0 {
			worst = e
		}
	}
	var chunk *chunk
	if d.full != nil {
		var n int
		n, chunk = d.full.stuck()
		failing += n
	}
	switch b := d.breaker; {
	case b.open():
		show = &StatusError{ID: b.out.ID, Class: b.out.Class, RsyncExit: b.exit, Message: b.out.Message, Hint: b.out.Hint,
			Attempts: b.attempts, NextRetry: timePtr(b.until)}
	case chunk != nil && (worst == nil || chunk.attempts > worst.Attempts):
		show = &StatusError{ID: chunk.out.ID, Class: ClassEntry, RsyncExit: 23, Message: chunk.out.Message, Hint: chunk.out.Hint,
			Path: chunk.dirs[0], Attempts: chunk.attempts, NextRetry: timePtr(chunk.next)}
	case worst != nil:
		hint := entryOutcome(Outcome{}, worst.Error).Hint
		show = &StatusError{ID: worst.ErrorID, Class: ClassEntry, RsyncExit: 23, Message: worst.Error, Hint: hint, Path: worst.Path,
			Attempts: worst.Attempts, NextRetry: timePtr(worst.Next)}
	default:
		show = NewVerifyStatus(d.state.Verify, nil).Diverged(d.o.Source + "/" + d.o.Name)
	}
	return failing, show
}

func (b *Batch) status() BatchStatus {
	s := BatchStatus{ID: b.ID, Kind: b.Kind(), Paths: len(b.Paths), Bytes: b.Bytes, Started: b.Started, progress: b.progress}
	if b.chunk != nil {
		s.Bytes, s.full = b.chunk.weight.Bytes, true
	}
	if len(b.Paths) > 0 {
		s.Sample = b.Paths[0]
	}
	return s
}

func timePtr(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
