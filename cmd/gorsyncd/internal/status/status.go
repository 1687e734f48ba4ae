// Package status is what gorsyncd says about itself: one plain struct that the
// daemon, the JSON output, the table and the tests share, and the table made
// from it.
//
// Every configured source and remote is always present, whatever state it is
// in. Values are in base units, named in their keys; nothing is humanised
// before Text does it.
package status

import (
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// Version of the JSON document. Fields may be added under the same version.
const Version = 1

// Where a Status comes from.
const (
	FromDaemon  = "daemon"
	FromJournal = "journal" // the daemon is not running
)

// Status is the state of one gorsyncd.
type Status struct {
	V       int                `json:"v"`
	Time    time.Time          `json:"time"`   // UTC
	From    string             `json:"source"` // FromDaemon or FromJournal
	Note    string             `json:"note,omitempty"`
	Daemon  *Daemon            `json:"daemon"` // nil when it is not running
	Journal Journal            `json:"journal"`
	Sources []Source           `json:"sources"`
	Remotes []replicate.Status `json:"remotes"`
	Sinks   []sink.Status      `json:"sinks"`
	Kept    []Kept             `json:"kept"`

	Notifiers []notify.Status `json:"notifiers"`
}

// Daemon is the running process.
type Daemon struct {
	Version         string     `json:"version"`
	PID             int        `json:"pid"`
	UptimeSeconds   float64    `json:"uptime_seconds"`
	Goroutines      int        `json:"goroutines"`
	ConfigFile      string     `json:"config_file"` // "" when made from arguments
	LastReload      *time.Time `json:"last_reload"`
	LastReloadError string     `json:"last_reload_error,omitempty"`
	HTTP            *HTTP      `json:"http"`          // nil when nothing is to be served
	NeedsRestart    []string   `json:"needs_restart"` // keys of the configuration that were changed since the start and only a start can apply
}

// Journal is the size of the journal, over all sources.
type Journal struct {
	HeadSeq     uint64     `json:"head_seq"` // sum of the sources' heads: entries ever written
	Entries     uint64     `json:"entries"`  // present now
	SizeBytes   int64      `json:"size_bytes"`
	MaxBytes    int64      `json:"max_bytes"`
	PinnedBy    string     `json:"pinned_by"`         // full name of the remote that holds most; "" for none
	OldestEntry *time.Time `json:"oldest_entry"`      // nil when empty
	Waiting     string     `json:"waiting,omitempty"` // why nothing can be journaled now
}

// NearlyFull tells whether the journal is about to reach its size: then the remote that
// is furthest behind loses its place.
func (j *Journal) NearlyFull() bool { return j.MaxBytes > 0 && j.SizeBytes > j.MaxBytes/10*9 }

// NewJournal adds up what the journal says about its sources.
func NewJournal(st journal.Stats, maxBytes int64) Journal {
	j := Journal{SizeBytes: st.DiskBytes, MaxBytes: maxBytes}
	pinned := uint64(0)
	for _, s := range st.Sources {
		j.HeadSeq += s.Head
		j.Entries += s.Entries
		if s.Pinned > pinned {
			name, _ := sink.NameOf(s.PinnedBy)
			pinned, j.PinnedBy = s.Pinned, s.Name+"/"+name
		}
		if t := s.OldestEntry; !t.IsZero() && (j.OldestEntry == nil || t.Before(*j.OldestEntry)) {
			t = t.UTC()
			j.OldestEntry = &t
		}
	}
	return j
}

// Source is one watched tree.
type Source struct {
	Name string `json:"name"`
	watch.Status
}

// noInstance begins the reason of a source that was not watched at all.
const noInstance = "no inotify instance"

// Approvable tells whether it is held by a guard, which waits for a person. Else it is
// held for want of something, and goes on when the remedies in its hints have worked.
func (s *Source) Approvable() bool {
	return s.State == held && !strings.HasPrefix(s.Held, noInstance)
}

// Unseen tells whether it has not been scanned since the start: what changed while
// nobody watched is not known yet, and its remotes do not know that they lack it.
func (s *Source) Unseen() bool {
	return s.Scans == 0 && (s.State == watch.StateStarting || s.State == watch.StateScanning)
}

// New returns an empty Status of the moment now whose lists are present.
func New(now time.Time, from string) Status {
	return Status{V: Version, Time: now.UTC(), From: from, Sources: []Source{}, Remotes: []replicate.Status{}, Sinks: []sink.Status{}, Kept: []Kept{}, Notifiers: []notify.Status{}}
}

// Exit codes of a status, ordered by how much they want a person.
const (
	ExitOK      = 0 // every remote is in sync
	ExitBehind  = 3 // something is on its way, waiting or paused
	ExitProblem = 4 // at least one remote is failing or held, or a source is, or the journal is full
)

// held is the state word of a source that a guard has stopped.
const held = "held"

// ExitCode judges s.
func (s Status) ExitCode() int {
	code := ExitOK
	if s.From == FromJournal {
		code = ExitBehind // nobody is looking, so nobody knows
	}
	if s.Journal.Waiting != "" {
		return ExitProblem
	}
	for _, src := range s.Sources {
		if src.State == held {
			return ExitProblem
		}
		if src.Unseen() {
			code = ExitBehind // nobody has looked, so nobody knows
		}
	}
	for _, r := range s.rows() {
		code = max(code, exitOf(r.State))
	}
	return code
}

func exitOf(st replicate.State) int {
	switch st {
	case replicate.StateInSync:
		return ExitOK
	case replicate.StateFailing, replicate.StateHeld:
		return ExitProblem
	}
	return ExitBehind
}

// States of HTTP.
const (
	HTTPListening = "listening"
	HTTPFailing   = "failing" // it is tried again; replication does not depend on it
)

// HTTP is the listener of the status page and of the API over TCP.
type HTTP struct {
	Listen      string     `json:"listen"`  // as configured
	Address     string     `json:"address"` // as it came to be; "" while it fails
	TLS         bool       `json:"tls"`
	State       string     `json:"state"` // listening, failing
	Connections int        `json:"connections"`
	ErrorID     string     `json:"error_id,omitempty"`
	Error       string     `json:"error,omitempty"`
	NextRetry   *time.Time `json:"next_retry"`
}
