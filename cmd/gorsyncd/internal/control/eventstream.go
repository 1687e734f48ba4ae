package control

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/events"
)

// eventGrace is how long a client may leave one event unread. It loses nothing by being
// cut off.
const eventGrace = time.Minute

// eventStream follows the journal as server-sent events. The id of each is the
// position behind it: whoever comes again with it is given what follows, and nothing
// twice, also from the next process.
func (s *door) eventStream(w http.ResponseWriter, r *http.Request, q events.Request) {
	q.Follow = true
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	lines := make(chan []byte)
	failed := make(chan error, 1)
	go func() {
		defer close(lines)
		var at standing
		failed <- s.api.Events(ctx, q, func(l events.Line) error {
			data, err := json.Marshal(l)
			if err != nil {
				return err
			}
			select {
			case lines <- event(l.Event, at.after(l), data):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	// A request that makes no sense has a status of its own: the stream begins with
	// the first line, which comes at once.
	first, ok := <-lines
	if !ok {
		if err := <-failed; err != nil {
			s.fail(w, err)
			return
		}
	}
	out := newSSE(w)
	out.grace = eventGrace
	err := out.begin()
	if err == nil && ok {
		err = out.write(first)
	}
	if err == nil {
		err = out.feed(ctx, lines)
	}
	cancel()
	for range lines { // until the reader has ended
	}
	if err != nil {
		return // there is nobody to tell
	}
	if why := <-failed; why != nil {
		data, _ := json.Marshal(ErrorDocument{Classify(why)}) // of strings alone
		_ = out.write(event("error", "", data))
	}
}

// standing follows where a reader of lines stands.
type standing struct {
	known bool
	pos   events.Position
}

// after is the position behind a line; "" as long as none has been told.
func (s *standing) after(l events.Line) string {
	switch {
	case l.Event == events.KindPosition:
		if pos, err := events.ParsePosition(l.Position); err == nil {
			s.pos, s.known = events.Position{Epoch: pos.Epoch, Next: maps.Clone(pos.Next)}, true
		}
	case !s.known:
		return "" // the client keeps the one it has, and is told of this again
	case l.Event == events.KindEntry:
		s.pos.Next[l.Source] = l.Seq + 1
	case l.Event == events.KindGap && l.To > 0:
		s.pos.Next[l.Source] = l.To + 1
	}
	return s.pos.String()
}
