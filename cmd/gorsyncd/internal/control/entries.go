package control

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
)

// Numbers of entries on a page.
const (
	entriesDefault = 100
	entriesMost    = 1000
)

// EntriesQuery selects what is not on remotes.
type EntriesQuery struct {
	State    string   // journal.StateFailing or journal.StateQueued
	Remotes  []string // names or globs of remotes and sinks; none: all
	Contains string   // in the path, as it is; "" for all
	Limit    int      // entries of a page, at least 1
	After    string   // what the page before it said is next; "" for the first
}

// EntriesPage is a page of entries, by the names of the remotes and in the order in
// which they are stored.
type EntriesPage struct {
	Entries []EntryOf `json:"entries"`
	// Next is for the parameter after of the next page; "" at the end. A page can have
	// fewer entries than were asked for, even none, and not be the last: looking for a
	// name stops after a while.
	Next  string  `json:"next"`
	Total *uint64 `json:"total"` // of all pages, about; null when it is not known
}

// EntryOf is a path that one remote or sink does not have yet.
type EntryOf struct {
	Remote string `json:"remote"` // full name
	Source string `json:"source"`
	names.Path
	State    string     `json:"state"` // failing, queued
	Seq      uint64     `json:"seq"`
	Op       string     `json:"op"`   // change, remove
	Time     *time.Time `json:"time"` // when it was journaled; null for what fails
	Attempts int        `json:"attempts"`
	First    *time.Time `json:"first_failure"`
	Next     *time.Time `json:"next_retry"`
	ErrorID  string     `json:"error_id"`
	Message  string     `json:"message"`
}

// NewFailing converts a record of the retry set of a remote or sink.
func NewFailing(remote, source string, t journal.Retry) EntryOf {
	return EntryOf{Remote: remote, Source: source, Path: names.NewPath(t.Path), State: journal.StateFailing, Seq: t.Seq, Op: OpName(t.Op),
		Attempts: t.Attempts, First: moment(t.First), Next: moment(t.Next), ErrorID: t.ErrorID, Message: names.Printable(t.Error)}
}

// NewQueued converts an entry that a remote or sink has not had.
func NewQueued(remote, source string, e journal.Entry) EntryOf {
	return EntryOf{Remote: remote, Source: source, Path: names.NewPath(e.Path), State: journal.StateQueued, Seq: e.Seq, Op: OpName(e.Op), Time: moment(e.Time)}
}

var entriesParams = []Param{
	{Name: "state", Type: "string", Words: []string{journal.StateFailing, journal.StateQueued}, About: "failing by default."},
	{Name: "remote", Type: "string", About: "A name or glob of remotes or sinks; may be repeated."},
	{Name: "contains", Type: "string", About: "Only paths with this in them."},
	{Name: "limit", Type: "integer", About: fmt.Sprintf("Entries of a page, up to %d; %d by default.", entriesMost, entriesDefault)},
	{Name: "after", Type: "string", About: "What the last page said is next."},
}

func (s *door) entries(ctx context.Context, r *http.Request) (any, error) {
	v := r.URL.Query()
	q := EntriesQuery{State: v.Get("state"), Contains: v.Get("contains"), Limit: entriesDefault, After: v.Get("after")}
	for _, name := range v["remote"] {
		if name != "" {
			q.Remotes = append(q.Remotes, name)
		}
	}
	switch q.State {
	case "":
		q.State = journal.StateFailing
	case journal.StateFailing, journal.StateQueued:
	default:
		return nil, &Error{Code: CodeUsage, Message: fmt.Sprintf("unknown state %q", q.State), Hint: "known are failing, queued"}
	}
	if text := v.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > entriesMost {
			return nil, &Error{Code: CodeUsage, Message: fmt.Sprintf("limit: %q is not a number from 1 to %d", text, entriesMost), Err: err}
		}
		q.Limit = n
	}
	page, err := s.api.Entries(ctx, q)
	if page.Entries == nil {
		page.Entries = []EntryOf{}
	}
	return page, err
}
