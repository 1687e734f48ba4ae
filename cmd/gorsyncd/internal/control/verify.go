package control

import (
	"context"
	"net/http"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

// verifyMax bounds a verify without a timeout of its own.
const verifyMax = 7 * 24 * time.Hour

// VerifyRequest asks for a comparison of remotes with their sources.
type VerifyRequest struct {
	Names    []string      `json:"names"` // none: all remotes
	Sub      names.Path    `json:"sub"`   // below the source; "" for all of it; absolute paths are accepted
	Checksum bool          `json:"checksum"`
	Repair   bool          `json:"repair"`
	Timeout  time.Duration `json:"timeout"` // nanoseconds; 0: the server's limit
}

// Events of a VerifyLine.
const (
	EventDifference = "difference"
	EventAllowed    = "allowed" // what only the remote has, where it may stay
	EventProgress   = "progress"
	EventResult     = "result" // the last line of a remote
)

// VerifyLine is what a verify has to tell of one remote: a path that differs,
// how far it is, or what it came to.
type VerifyLine struct {
	Remote      string                    `json:"remote"`
	Event       string                    `json:"event"`
	*names.Path                           // relative to the source, "" is its root
	Kinds       []replicate.DiffKind      `json:"kinds,omitempty"`
	Below       uint64                    `json:"below,omitempty"`  // paths in what only the remote has
	Repair      replicate.Repair          `json:"repair,omitempty"` // queued, full_sync
	Progress    *replicate.VerifyProgress `json:"progress,omitempty"`
	Result      *VerifyResult             `json:"result,omitempty"`
}

// VerifyResult is what a verify of one remote came to. Without Compared it did
// not come to its end; then Message says why, and Code what kind of reason it is.
type VerifyResult struct {
	replicate.VerifyResult
	Compared bool   `json:"compared"`
	Code     Code   `json:"code,omitempty"`
	ErrorID  string `json:"error_id,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

// Verify compares remotes with their sources; it calls line for whatever there
// is to tell.
func (c *Client) Verify(ctx context.Context, r VerifyRequest, line func(VerifyLine) error) error {
	return follow(ctx, c, http.MethodPost, "/verify", nil, r, line)
}

func (s *door) verify(w http.ResponseWriter, r *http.Request) {
	var req VerifyRequest
	if err := readBody(r, &req); err != nil {
		s.fail(w, err)
		return
	}
	limit := req.Timeout
	if limit <= 0 {
		limit = verifyMax
	}
	limit = min(limit, verifyMax)
	st := newStream(w)
	// The API says how far it came when its context ends; the stream's own limit
	// is only for one that does not.
	st.run(r.Context(), limit+graceWrite, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return s.api.Verify(ctx, req, func(l VerifyLine) {
			if l.Result != nil && l.Result.Kinds == nil {
				l.Result.Kinds = map[replicate.DiffKind]uint64{} // nothing is null that is a mapping or a list
			}
			if st.item(l) != nil {
				cancel() // nobody is left to be told
			}
		})
	})
}
