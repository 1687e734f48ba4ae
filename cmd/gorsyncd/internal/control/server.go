package control

import (
	"context"
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
	maxFollowers = 32 // of them, streams that last
)

// Server answers requests on the control socket.
type Server struct {
	service *Service
	own     bool // the service ends with the server
	sock    *socket
	http    *http.Server
	cancel  context.CancelFunc

	closing sync.Once
	closed  error
}

// Listen creates the socket for an API that is served nowhere else. It accepts
// connections at once and answers them when Serve runs. An address in use by a live
// process is an *Error with CodeBusy.
func Listen(s config.Socket, api API, log *slog.Logger) (*Server, error) {
	service := NewService(Options{API: api, Logger: log})
	srv, err := service.Listen(s)
	if err != nil {
		return nil, errors.Join(err, service.Close())
	}
	srv.own = true
	return srv, nil
}

// Listen creates the socket of a service, see the function of that name.
func (s *Service) Listen(at config.Socket) (*Server, error) {
	sock, err := listenSocket(at)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv := &Server{service: s, sock: sock, cancel: cancel}
	srv.http = &http.Server{
		Handler:           s.Handler(Limits{Requests: maxRequests, Streams: maxFollowers, Body: maxBody}, nil),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       graceWrite,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
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
		if s.own {
			err = errors.Join(err, s.service.Close())
		}
		s.closed = err
	})
	return s.closed
}
