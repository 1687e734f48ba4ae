package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// Limits of the server. Each request ends within its limit plus graceWrite.
const (
	lookLimit    = 15 * time.Second // status, explain, configuration
	actLimit     = 60 * time.Second // pause, resume, retry, approve, sync
	reloadLimit  = 5 * time.Minute  // transfers may end, one reload may wait for another
	longLimit    = 30 * time.Minute // inspect, check, dry run
	flushDefault = 60 * time.Second
	flushMax     = 24 * time.Hour
	graceWrite   = 30 * time.Second // for a client to take what was written
	closeLimit   = 5 * time.Second  // for requests under way when the server closes

	maxBody      = 4 << 20
	maxRequests  = 64 // at once; see also maxConns
	maxFollowers = 32 // of them, streams of events, which last
)

// Server answers requests on the control socket.
type Server struct {
	api       API
	log       *slog.Logger
	sock      *socket
	http      *http.Server
	slots     chan struct{} // one element per request under way
	followers chan struct{} // likewise, of streams of events
	cancel    context.CancelFunc

	closing sync.Once
	closed  error
}

// Listen creates the socket. It accepts connections at once and answers them
// when Serve runs. An address in use by a live process is an *Error with
// CodeBusy.
func Listen(s config.Socket, api API, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	sock, err := listenSocket(s)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv := &Server{api: api, log: log, sock: sock, slots: make(chan struct{}, maxRequests), followers: make(chan struct{}, maxFollowers), cancel: cancel}
	srv.http = &http.Server{
		Handler:           srv.limit(srv.routes()),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       graceWrite,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return srv, nil
}

// Serve blocks until Close, and then returns nil.
func (s *Server) Serve() error {
	if err := s.http.Serve(limit(s.sock, maxConns)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve control socket: %w", err)
	}
	return nil
}

// Close refuses new requests, cancels those under way, waits for them a short
// time, and removes the socket. It is idempotent.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.cancel()
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		err := s.http.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, s.http.Close())
		}
		if cerr := s.sock.Close(); cerr != nil && !errors.Is(cerr, net.ErrClosed) {
			err = errors.Join(err, cerr)
		}
		s.closed = err
	})
	return s.closed
}

// limit bounds what clients can use up: requests at once, size of a body, and
// the time an unread answer is kept.
func (s *Server) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			s.fail(w, &Error{Code: CodeBusy, Message: "too many requests at once", Hint: "try again"})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		extendWrite(w, actLimit+graceWrite)
		next.ServeHTTP(w, r)
	})
}

// extendWrite lets the answer take d longer. It cannot fail on a connection of
// this server; were the deadline unsupported, closing would still end it.
func extendWrite(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}

func (s *Server) reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("control: answer not delivered", "error", err)
	}
}

func (s *Server) fail(w http.ResponseWriter, err error) {
	e := Classify(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.httpStatus())
	if err := json.NewEncoder(w).Encode(ErrorDocument{e}); err != nil {
		s.log.Debug("control: error not delivered", "error", err)
	}
}
