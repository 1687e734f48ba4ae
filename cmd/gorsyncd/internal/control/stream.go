package control

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
)

// heartbeat is how often a stream says that it is alive; silence is after how
// much of nothing a client gives up.
const (
	heartbeat = 10 * time.Second
	silence   = 45 * time.Second
)

// frame is one line of a stream. Exactly one of its fields is set. The last
// line has Done or Error.
type frame struct {
	Item  json.RawMessage `json:"item,omitempty"`
	Alive bool            `json:"alive,omitempty"`
	Done  bool            `json:"done,omitempty"`
	Error *Error          `json:"error,omitempty"`
}

// stream writes frames; safe for the handler and its heartbeat at once.
type stream struct {
	mu    sync.Mutex
	w     http.ResponseWriter
	enc   *json.Encoder
	grace time.Duration // for a client to take a line

	deadline sync.Mutex // guards the following, and the setting of the deadline
	ending   bool       // no line may take longer any more
}

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	return &stream{w: w, enc: json.NewEncoder(w), grace: graceWrite}
}

func (s *stream) send(f frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.extend()
	if err := s.enc.Encode(f); err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}

// extend lets the next line take as long as it may.
func (s *stream) extend() {
	s.deadline.Lock()
	defer s.deadline.Unlock()
	if !s.ending {
		extendWrite(s.w, s.grace)
	}
}

// hasten ends the writing soon, also of a line that nobody takes.
func (s *stream) hasten() {
	s.deadline.Lock()
	defer s.deadline.Unlock()
	s.ending = true
	extendWrite(s.w, time.Second)
}

func (s *stream) item(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.send(frame{Item: raw})
}

// run sends heartbeats while do works, then the last frame. A client that is
// gone ends do through its context and has nobody to tell. No limit is 0.
func (s *stream) run(ctx context.Context, limit time.Duration, do func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if limit > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeoutCause(ctx, limit, tooSlow(limit))
		defer end()
	}
	_ = s.send(frame{Alive: true})
	beating := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(beating)
		t := time.NewTicker(heartbeat)
		defer t.Stop()
		for {
			select {
			case <-stop:
				return
			case <-t.C:
				if s.send(frame{Alive: true}) != nil {
					cancel()
					return
				}
			}
		}
	}()
	err := do(ctx)
	close(stop)
	<-beating
	if err != nil {
		_ = s.send(frame{Error: Classify(cause(ctx, err))})
		return
	}
	_ = s.send(frame{Done: true})
}

func (s *door) flush(w http.ResponseWriter, r *http.Request) {
	var req FlushRequest
	if err := readBody(r, &req); err != nil {
		s.fail(w, err)
		return
	}
	limit := req.Timeout
	if limit <= 0 {
		limit = flushDefault
	}
	limit = min(limit, flushMax)
	st := newStream(w)
	// The API names what is in the way when its context ends; the stream's own
	// limit is only for one that does not.
	st.run(r.Context(), limit+graceWrite, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return s.api.Flush(ctx, req, func(p FlushProgress) { _ = st.item(p) })
	})
}

func (s *door) sync(w http.ResponseWriter, r *http.Request) {
	var req SyncRequest
	if err := readBody(r, &req); err != nil {
		s.fail(w, err)
		return
	}
	limit := actLimit
	if req.DryRun {
		limit = longLimit
	}
	st := newStream(w)
	st.run(r.Context(), limit, func(ctx context.Context) error {
		return s.api.Sync(ctx, req, func(p SyncProgress) {
			p.Line = names.Printable(p.Line)
			_ = st.item(p)
		})
	})
}

func (s *door) inspect(w http.ResponseWriter, r *http.Request) {
	q, err := queryParams(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	st := newStream(w)
	st.run(r.Context(), longLimit, func(ctx context.Context) error {
		return s.api.Inspect(ctx, q, func(row journal.Row) error { return st.item(NewRow(row)) })
	})
}
