package control

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/events"
)

// eventsGrace is how long a client may leave events unread. It costs a page of
// each source meanwhile.
const eventsGrace = time.Hour

// follower serves what may last for one of the places of such streams.
func (s *door) follower(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if done, ok := s.follow(w); ok {
			defer done()
			next(w, r)
		}
	}
}

func (s *door) events(w http.ResponseWriter, r *http.Request) {
	q, err := eventParams(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	if wantsEvents(r) {
		s.eventStream(w, r, q)
		return
	}
	st := newStream(w)
	st.grace = eventsGrace
	// A client that reads nothing must not hold up the end of the daemon.
	release := context.AfterFunc(r.Context(), st.hasten)
	defer release()
	// No limit but that on each line: whoever reads slowly takes as long as it takes.
	st.run(r.Context(), 0, func(ctx context.Context) error {
		return s.api.Events(ctx, q, func(l events.Line) error { return st.item(l) })
	})
}

func eventParams(r *http.Request) (events.Request, error) {
	v := r.URL.Query()
	p, err := pathParam(r)
	if err != nil {
		return events.Request{}, err
	}
	q := events.Request{Source: v.Get("source"), From: v.Get("from"), Path: p}
	bad := func(key string, err error) (events.Request, error) {
		return q, &Error{Code: CodeUsage, Message: fmt.Sprintf("%s: %v", key, err), Err: err}
	}
	if text := v.Get("since"); text != "" {
		if q.Since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return bad("since", err)
		}
	}
	if text := v.Get("last"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return bad("last", err)
		}
		q.Last = &n
	}
	if text := v.Get("follow"); text != "" {
		if q.Follow, err = strconv.ParseBool(text); err != nil {
			return bad("follow", err)
		}
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" && wantsEvents(r) {
		// The address is that of the first time, when it asked for the newest few.
		q.From, q.Since, q.Last = id, time.Time{}, nil
	}
	return q, nil
}

// Events calls line for what the daemon tells of the journal. With Follow it
// returns when the connection ends, or ctx.
func (c *Client) Events(ctx context.Context, q events.Request, line func(events.Line) error) error {
	v := url.Values{}
	if q.Path != "" {
		v = pathValues(q.Path)
	}
	for key, text := range map[string]string{"source": q.Source, "from": q.From} {
		if text != "" {
			v.Set(key, text)
		}
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if q.Last != nil {
		v.Set("last", strconv.Itoa(*q.Last))
	}
	if q.Follow {
		v.Set("follow", "true")
	}
	return follow(ctx, c, http.MethodGet, "/events", v, nil, line)
}
