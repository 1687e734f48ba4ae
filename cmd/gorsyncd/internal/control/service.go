package control

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// Options of a Service.
type Options struct {
	API     API
	Logger  *slog.Logger // nil discards
	OpenAPI []byte       // the description that /openapi.json serves; nil serves none
}

// Service is the API as HTTP handlers, for any number of listeners. What costs
// something and is the same for all of them, such as the live status, is made once.
type Service struct {
	api     API
	log     *slog.Logger
	openAPI []byte
	live    *live
}

// NewService returns a Service; the caller closes it.
func NewService(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{api: o.API, log: o.Logger, openAPI: o.OpenAPI, live: newLive(o.API, liveEvery)}
}

// Close ends the streams of the live status and waits for what makes them. It is
// idempotent.
func (s *Service) Close() error {
	s.live.close()
	return nil
}

// Limits bound what the clients of one listener can use up.
type Limits struct {
	Requests int    // at once
	Streams  int    // of them, those that last: events and the live status
	Body     int64  // bytes of a request
	Full     func() // called when a request is refused for their number; nil for nothing
}

// Gate decides whether a request may pass to a route. It answers those that may not
// itself.
type Gate func(Route, http.Handler) http.Handler

// Handler serves the routes to one listener. Each is behind the gate; nil lets
// everything pass, as the unix socket does, whose mode is its access control.
func (s *Service) Handler(l Limits, gate Gate) http.Handler {
	d := &door{Service: s, slots: make(chan struct{}, l.Requests), followers: make(chan struct{}, l.Streams), body: l.Body, full: l.Full}
	return d.limit(d.routes(gate))
}

// door is what one listener has of a Service.
type door struct {
	*Service
	slots     chan struct{} // one element per request under way
	followers chan struct{} // likewise, of streams that last
	body      int64
	full      func()
}

// limit bounds what clients can use up: requests at once, size of a body, and
// the time an unread answer is kept.
func (s *door) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			if s.full != nil {
				s.full()
			}
			s.fail(w, tooMany("too many requests at once", "try again"))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, s.body)
		extendWrite(w, actLimit+graceWrite)
		next.ServeHTTP(w, r)
	})
}

// follow takes one of the places of streams that last; done gives it back.
func (s *door) follow(w http.ResponseWriter) (done func(), ok bool) {
	select {
	case s.followers <- struct{}{}:
		return func() { <-s.followers }, true
	default:
		s.fail(w, tooMany("too many clients follow already", "end one of them, or try again later"))
		return nil, false
	}
}

// retryAfter is what a client that was refused for its number is told to wait.
const retryAfter = 10 * time.Second

func tooMany(message, hint string) *Error {
	return &Error{Code: CodeBusy, Message: message, Hint: hint}
}

// extendWrite lets the answer take d longer. It cannot fail on a connection of
// this server; were the deadline unsupported, closing would still end it.
func extendWrite(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}

func (s *Service) reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("control: answer not delivered", "error", err)
	}
}

func (s *Service) fail(w http.ResponseWriter, err error) {
	if err := Refuse(w, err); err != nil {
		s.log.Debug("control: error not delivered", "error", err)
	}
}

// Refuse answers a request with an error, as every route does it.
func Refuse(w http.ResponseWriter, err error) error {
	e := Classify(err)
	w.Header().Set("Content-Type", "application/json")
	switch e.httpStatus() {
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "2")
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	w.WriteHeader(e.httpStatus())
	return json.NewEncoder(w).Encode(ErrorDocument{e})
}
