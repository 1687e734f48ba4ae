package control

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Streams of server-sent events.
const (
	sseAlive = 15 * time.Second // between two comments that keep the connection
	sseGrace = 20 * time.Second // for a client to take what was written
	sseRetry = 2 * time.Second  // after which a browser connects again
)

// wantsEvents tells whether a client asks for server-sent events.
func wantsEvents(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, _, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(kind), FormEvents) {
			return true
		}
	}
	return false
}

// sse writes server-sent events; safe for concurrent use.
type sse struct {
	w     http.ResponseWriter
	grace time.Duration

	mu     sync.Mutex
	ending bool // guarded by mu: nothing may take longer any more
}

func newSSE(w http.ResponseWriter) *sse {
	w.Header().Set("Content-Type", FormEvents)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // of a proxy
	w.WriteHeader(http.StatusOK)
	return &sse{w: w, grace: sseGrace}
}

// event is the text of one; id may be "". data holds no line break, as what
// encoding/json writes.
func event(name, id string, data []byte) []byte {
	var b bytes.Buffer
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	if name != "" {
		fmt.Fprintf(&b, "event: %s\n", name)
	}
	b.WriteString("data: ")
	b.Write(data)
	b.WriteString("\n\n")
	return b.Bytes()
}

// begin tells the client when to come again.
func (s *sse) begin() error {
	return s.write(fmt.Appendf(nil, "retry: %d\n\n", sseRetry.Milliseconds()))
}

func (s *sse) write(text []byte) error {
	s.mu.Lock()
	if !s.ending {
		extendWrite(s.w, s.grace)
	}
	s.mu.Unlock()
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}

// hasten ends the writing soon, also of what nobody takes.
func (s *sse) hasten() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = true
	extendWrite(s.w, time.Second)
}

// feed writes what comes from a channel, and comments while nothing does, until the
// channel is closed, ctx ends, or the client does not take it.
func (s *sse) feed(ctx context.Context, texts <-chan []byte) error {
	release := context.AfterFunc(ctx, s.hasten)
	defer release()
	alive := time.NewTicker(sseAlive)
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case text, ok := <-texts:
			if !ok {
				return nil
			}
			alive.Reset(sseAlive)
			if err := s.write(text); err != nil {
				return err
			}
		case <-alive.C:
			if err := s.write([]byte(": alive\n\n")); err != nil {
				return err
			}
		}
	}
}
