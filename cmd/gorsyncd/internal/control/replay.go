package control

import (
	"context"
	"net/http"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
)

// ReplayRequest asks for what changed since a moment to be sent again.
type ReplayRequest struct {
	Names  []string   `json:"names"` // at least one
	From   string     `json:"from"`  // a position of the events; or
	Since  time.Time  `json:"since"`
	Sub    names.Path `json:"sub"` // below the source; "" for all of it; absolute paths are accepted
	DryRun bool       `json:"dry_run"`
}

// Kinds of ReplayLine.
const (
	EventReplay  = "replay"  // a path that would be sent, dry run only
	EventRemnant = "remnant" // a directory of which the remote may keep something
)

// ReplayLine is one line of a replay.
type ReplayLine struct {
	Remote string `json:"remote"`
	Event  string `json:"event"` // replay, remnant, result

	Seq         uint64        `json:"seq,omitempty"`
	Op          string        `json:"op,omitempty"` // change, remove
	*names.Path               // relative to the source
	Time        *time.Time    `json:"time,omitempty"`
	Result      *ReplayResult `json:"result,omitempty"`
}

// ReplayResult is what a replay came to on one remote.
type ReplayResult struct {
	From     uint64 `json:"from_seq"`  // first seq that was looked at
	To       uint64 `json:"to_seq"`    // last one; what comes later is sent anyway
	Changes  uint64 `json:"changes"`   // paths to be sent
	Removals uint64 `json:"removals"`  // paths to be removed
	Deletes  uint64 `json:"deletes"`   // paths that go with them, as the guard counts
	Pending  uint64 `json:"pending"`   // paths that are on their way anyway
	Remnants uint64 `json:"remnants"`  // directories of which the remote may keep something
	FullSync bool   `json:"full_sync"` // one of these directories removes it
	Held     string `json:"held"`      // why a guard holds it now; "" when none does
	DryRun   bool   `json:"dry_run"`
}

func (s *door) replay(w http.ResponseWriter, r *http.Request) {
	var req ReplayRequest
	err := readBody(r, &req)
	if err == nil {
		err = needNames(req.Names)
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	st := newStream(w)
	st.run(r.Context(), longLimit, func(ctx context.Context) error {
		return s.api.Replay(ctx, req, func(l ReplayLine) error { return st.item(l) })
	})
}

// Replay has what changed since a moment sent again.
func (c *Client) Replay(ctx context.Context, r ReplayRequest, line func(ReplayLine) error) error {
	return follow(ctx, c, http.MethodPost, "/replay", nil, r, line)
}
