package control

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
)

// ReportRequest asks how remotes were served.
type ReportRequest struct {
	Names []string  `json:"names"` // none: all remotes
	Since time.Time `json:"since"`
	Spans bool      `json:"spans"` // also hour by hour
}

// Report is how remotes were served.
type Report struct {
	Source  string         `json:"source"` // daemon, or files when it does not run
	Since   time.Time      `json:"since"`
	Until   time.Time      `json:"until"`
	Remotes []RemoteReport `json:"remotes"`
}

// RemoteReport is the part of one remote.
type RemoteReport struct {
	Remote string `json:"remote"` // full name
	history.Sum
	BehindNow float64       `json:"behind_seconds"` // at the end of the report
	Failing   uint64        `json:"failing"`        // paths that fail now
	Worst     []FailingPath `json:"failing_paths"`  // of them, those tried most
}

// FailingPath is one path that fails.
type FailingPath struct {
	names.Path           // relative to the source
	ErrorID    string    `json:"error_id"`
	Message    string    `json:"message"`
	Attempts   int       `json:"attempts"`
	First      time.Time `json:"first_failure"`
}

// maxWorst bounds the list of a report.
const maxWorst = 20

// SetFailing fills in the failing paths from the retry records of the remote.
func (r *RemoteReport) SetFailing(retries []journal.Retry) {
	r.Failing, r.Worst = 0, []FailingPath{}
	r.AddFailing(retries)
}

// AddFailing takes in some more of the records, in the order of their paths.
func (r *RemoteReport) AddFailing(retries []journal.Retry) {
	for _, t := range retries {
		if t.Attempts == 0 {
			continue
		}
		r.Failing++
		r.Worst = append(r.Worst, FailingPath{names.NewPath(t.Path), t.ErrorID, names.Printable(t.Error), t.Attempts, t.First.UTC()})
	}
	slices.SortStableFunc(r.Worst, func(a, b FailingPath) int { return cmp.Compare(b.Attempts, a.Attempts) })
	r.Worst = slices.Clip(r.Worst[:min(len(r.Worst), maxWorst)])
}

// JournalCompacted is what a compaction came to.
type JournalCompacted struct {
	Before    int64   `json:"before_bytes"`
	After     int64   `json:"after_bytes"`
	Truncated uint64  `json:"truncated_entries"`
	Seconds   float64 `json:"seconds"`
}

// NewJournalCompacted converts what the journal gives.
func NewJournalCompacted(c journal.Compacted, took time.Duration) JournalCompacted {
	return JournalCompacted{c.Before, c.After, c.Truncated, took.Seconds()}
}

// Report asks how remotes were served.
func (c *Client) Report(ctx context.Context, r ReportRequest) (Report, error) {
	var out Report
	return out, c.ask(ctx, actLimit, http.MethodPost, "/report", nil, r, &out)
}

// JournalCompact has the journal free what it can free now.
func (c *Client) JournalCompact(ctx context.Context) (JournalCompacted, error) {
	var out JournalCompacted
	return out, c.ask(ctx, longLimit, http.MethodPost, "/journal/compact", nil, nil, &out)
}
