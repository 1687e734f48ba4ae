package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// How long to wait before what could not be served is tried again.
const (
	againFirst = time.Second
	againMost  = 30 * time.Second
)

// Options of a Server.
type Options struct {
	Service     *control.Service
	Config      config.HTTP
	Credentials string // directory of the service's credentials; "" for none
	Logger      *slog.Logger
	// Page serves GET / and GET /assets/…; nil serves nothing there. It is given
	// what tells who may act.
	Page func(Visitor) http.Handler
}

// Visitor tells what a request may do.
type Visitor func(*http.Request) Access

// Access is what a request may do.
type Access struct {
	MayRead, MayAct bool
	CanLogIn        bool // there is a token, which it has not shown
	LoggedIn        bool // by a ticket, which it can give back
}

// Server serves on the address of a configuration, which can change.
type Server struct {
	o        Options
	log      *slog.Logger
	page     http.Handler
	settings atomic.Pointer[settings] // of the listener that serves; nil for none
	guesses  throttle
	given    revoked // tickets that were given back

	mu      sync.Mutex
	want    config.HTTP   // guarded by mu
	changed chan struct{} // guarded by mu: closed when want is another
	state   *status.HTTP  // guarded by mu
	crowd   *crowd        // guarded by mu: of the listener that serves
}

// New returns a Server that serves nothing before Run.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{o: o, log: o.Logger, want: o.Config, changed: make(chan struct{})}
	if o.Page != nil {
		s.page = o.Page(s.access)
	}
	return s
}

// Set has another configuration served. What is only read again, such as the token,
// keeps the connections.
func (s *Server) Set(c config.HTTP) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.want = c
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) wanted() (config.HTTP, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.want, s.changed
}

// Status tells whether it is served; nil when nothing is to be.
func (s *Server) Status() *status.HTTP {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		return nil
	}
	st := *s.state
	if s.crowd != nil {
		st.Connections = s.crowd.size()
	}
	return &st
}

func (s *Server) show(st *status.HTTP, c *crowd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.crowd = st, c
}

// Run serves until ctx ends. It returns nil: what is wrong is in the status and in the
// log, and tried again.
func (s *Server) Run(ctx context.Context) error {
	wait, said := againFirst, ""
	for ctx.Err() == nil {
		want, changed := s.wanted()
		if want.Listen == "" {
			s.show(nil, nil)
			wait, said = againFirst, ""
			await(ctx, changed, 0)
			continue
		}
		err := s.serve(ctx, want)
		if err == nil {
			wait, said = againFirst, ""
			continue
		}
		id := idListen
		var known *Error
		if errors.As(err, &known) {
			id = known.ID
		}
		next := time.Now().Add(wait).UTC()
		s.show(&status.HTTP{Listen: want.Listen, State: status.HTTPFailing, ErrorID: id, Error: err.Error(), NextRetry: &next}, nil)
		if err.Error() != said {
			said = err.Error()
			s.log.Error("the status page is not served; replication goes on, and it is tried again", "error_id", id, "error", err)
		}
		if await(ctx, changed, wait) {
			wait = againFirst
		} else {
			wait = min(2*wait, againMost)
		}
	}
	s.show(nil, nil)
	return nil
}

// await waits for a change, or for some time unless that is 0, and tells whether it
// was a change.
func await(ctx context.Context, changed <-chan struct{}, limit time.Duration) bool {
	var end <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		end = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-changed:
		return true
	case <-end:
		return false
	}
}

// serve serves one address until another is wanted, and then returns nil, or says why
// it cannot.
func (s *Server) serve(ctx context.Context, c config.HTTP) error {
	set, pair, err := prepare(c, s.o.Credentials, s.certFailed)
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return &Error{ID: idListen, Key: "listen", Err: err}
	}
	s.settings.Store(set)
	h := s.listen(ctx, l, set, pair)
	addr := l.Addr().String()
	s.show(&status.HTTP{Listen: c.Listen, Address: addr, TLS: set.secure, State: status.HTTPListening}, h.crowd)
	s.log.Info("the status page is served", "address", address(addr, set.secure))
	served := make(chan error, 1)
	go func() { served <- h.run() }()
	err = s.keep(ctx, c, served)
	if cerr := h.close(); cerr != nil {
		s.log.Debug("web: connections were cut", "error", cerr)
	}
	s.settings.Swap(nil).end()
	return err
}

// address is where a browser finds the page.
func address(addr string, secure bool) string {
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	return scheme + strings.Replace(strings.Replace(addr, "[::]", "localhost", 1), "0.0.0.0", "localhost", 1) + "/"
}

// keep takes in changes that need no new listener, until one does, or serving ends.
func (s *Server) keep(ctx context.Context, c config.HTTP, served <-chan error) error {
	for {
		next, changed := s.wanted()
		if !next.Same(c) && moves(c, next) {
			return nil
		}
		set, _, err := prepare(next, s.o.Credentials, func(error) {})
		if err == nil {
			set.replaces(s.settings.Load())
			s.settings.Store(set)
			c = next
		} else {
			s.log.Error("what is served stays as it was", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return &Error{ID: idListen, Key: "listen", Err: err}
		case <-changed:
		}
	}
}

// moves tells whether the change needs another listener.
func moves(from, to config.HTTP) bool {
	from.TokenFile, from.Hosts, from.AnonymousRead = to.TokenFile, to.Hosts, to.AnonymousRead
	return !from.Same(to)
}

func (s *Server) certFailed(err error) {
	s.log.Error("a changed certificate cannot be used; the one before is", "error_id", idTLS, "error", err)
}
