package control

import (
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/journal"
)

// Row is one journal entry with its state on each remote, in JSON.
type Row struct {
	Source string `json:"source"`
	Seq    uint64 `json:"seq"`
	Op     string `json:"op"` // change, remove
	names.Path
	Checksum bool        `json:"checksum"` // sent with content compared
	Count    uint64      `json:"count"`    // remove: paths that went away
	Time     *time.Time  `json:"time"`     // nil when only a retry record is left of it
	Remotes  []RowRemote `json:"remotes"`
}

// RowRemote is the state of an entry on one remote.
type RowRemote struct {
	Remote    string     `json:"remote"` // full name, of a remote or a sink
	State     string     `json:"state"`  // queued, failing, acked
	Attempts  int        `json:"attempts,omitempty"`
	First     *time.Time `json:"first_failure,omitempty"`
	NextRetry *time.Time `json:"next_retry,omitempty"`
	ErrorID   string     `json:"error_id,omitempty"`
	Message   string     `json:"message,omitempty"`
}

// NewRow converts what the journal gives.
func NewRow(r journal.Row) Row {
	out := Row{
		Source: r.Source, Seq: r.Seq, Op: OpName(r.Op), Path: names.NewPath(r.Path),
		Checksum: r.Flags&journal.FlagChecksum != 0, Count: r.Count, Time: moment(r.Time),
		Remotes: make([]RowRemote, 0, len(r.Remotes)),
	}
	for _, m := range r.Remotes {
		name, _ := sink.NameOf(m.Name)
		rr := RowRemote{Remote: r.Source + "/" + name, State: m.State}
		if t := m.Retry; t != nil {
			rr.Attempts, rr.First, rr.NextRetry = t.Attempts, moment(t.First), moment(t.Next)
			rr.ErrorID, rr.Message = t.ErrorID, names.Printable(t.Error)
		}
		out.Remotes = append(out.Remotes, rr)
	}
	return out
}

// OpName is the word for an op.
func OpName(op journal.Op) string {
	switch op {
	case journal.OpChange:
		return "change"
	case journal.OpRemove:
		return "remove"
	}
	return "unknown"
}

// moment leaves the zero time out of JSON.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// JournalStats is the size of the journal in JSON.
type JournalStats struct {
	SizeBytes int64         `json:"size_bytes"`
	Sources   []SourceStats `json:"sources"`
}

// SourceStats is one source's part of the journal.
type SourceStats struct {
	Source      string     `json:"source"`
	HeadSeq     uint64     `json:"head_seq"`
	Truncated   uint64     `json:"truncated_seq"` // entries at or below are gone
	Entries     uint64     `json:"entries"`
	Index       uint64     `json:"indexed_paths"`
	PinnedBy    string     `json:"pinned_by"`      // full name; "" when nothing waits
	Pinned      uint64     `json:"pinned_entries"` // seqs it keeps
	OldestEntry *time.Time `json:"oldest_entry"`
}

// NewJournalStats converts what the journal gives.
func NewJournalStats(s journal.Stats) JournalStats {
	out := JournalStats{SizeBytes: s.DiskBytes, Sources: make([]SourceStats, 0, len(s.Sources))}
	for _, src := range s.Sources {
		pinned := ""
		if src.Pinned > 0 {
			pinned = src.Name + "/" + src.PinnedBy
		}
		out.Sources = append(out.Sources, SourceStats{
			Source: src.Name, HeadSeq: src.Head, Truncated: src.Truncated, Entries: src.Entries,
			Index: src.Index, PinnedBy: pinned, OldestEntry: moment(src.OldestEntry), Pinned: src.Pinned,
		})
	}
	return out
}

// JournalReport is the result of a check in JSON.
type JournalReport struct {
	Entries  uint64   `json:"entries"`
	Index    uint64   `json:"indexed_paths"`
	Retries  uint64   `json:"retry_records"`
	Problems []string `json:"problems"`
}

// NewJournalReport converts what the journal gives.
func NewJournalReport(r journal.Report) JournalReport {
	out := JournalReport{Entries: r.Entries, Index: r.Index, Retries: r.Retries, Problems: []string{}}
	for _, p := range r.Problems {
		out.Problems = append(out.Problems, names.Printable(p))
	}
	return out
}
