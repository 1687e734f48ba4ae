package replicate

import (
	"bytes"
	"io"
	"sync"
)

// handoverMax bounds what is kept of a child's output before somebody takes it:
// as a rule the message of the day of a daemon.
const handoverMax = 64 << 10

// handover is the output of a child whose reader is known later. Safe for
// concurrent use.
type handover struct {
	mu   sync.Mutex
	to   io.Writer // nil until attach
	kept bytes.Buffer
}

func (h *handover) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.to != nil {
		return h.to.Write(p)
	}
	if room := handoverMax - h.kept.Len(); room > 0 {
		h.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// attach passes on what was written so far, and all that follows.
func (h *handover) attach(to io.Writer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.to = to
	// The readers of output do not fail.
	_, _ = h.kept.WriteTo(to)
}
