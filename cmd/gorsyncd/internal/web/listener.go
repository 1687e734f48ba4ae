package web

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
)

// Limits of a listener.
const (
	headerLimit = 10 * time.Second // for the head of a request
	bodyLimit   = 30 * time.Second // for all of it
	loginLimit  = 3 * time.Second  // for a login
	refusedBody = time.Second      // for the rest of a request that was refused
	idleLimit   = time.Minute      // between two requests of a connection
	writeLimit  = 30 * time.Second // for an answer, unless its route allows more
	closeLimit  = 3 * time.Second  // for requests under way at the end
	maxHeader   = 64 << 10         // a position of many sources is long
	maxBody     = 1 << 20
	// streamsEach is how many requests of HTTP/2 one connection may have under way: a
	// page has two that last. A client that takes no answers keeps that many in memory.
	streamsEach = 32
	// spareRequests is how many there may be at once besides the streams.
	spareRequests = 64
)

// listener is one address that is served.
type listener struct {
	http   *http.Server
	crowd  *crowd
	tls    bool
	cancel context.CancelFunc
}

func (s *Server) listen(ctx context.Context, l net.Listener, set *settings, pair *certs) *listener {
	ctx, cancel := context.WithCancel(ctx)
	most := connsWithin(set.conf.MaxClients+spareConns, fileLimit())
	each := most / perAddress
	if set.conf.Loopback() || set.conf.Insecure {
		each = 0 // everybody comes from the same address: of this machine, or of the proxy
	}
	c := newCrowd(l, most, each, pair == nil)
	h := &listener{crowd: c, tls: pair != nil, cancel: cancel}
	h.http = &http.Server{
		Handler:           s.handler(control.Limits{Requests: set.conf.MaxClients + spareRequests, Streams: set.conf.MaxClients, Body: maxBody, Full: c.relieve}),
		ReadHeaderTimeout: headerLimit,
		ReadTimeout:       bodyLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxHeader,
		ConnState:         c.watch,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	if pair != nil {
		h.http.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streamsEach}
		h.http.TLSConfig = &tls.Config{GetCertificate: pair.get, MinVersion: tls.VersionTLS12}
	}
	return h
}

// run serves until close, and then returns nil.
func (h *listener) run() error {
	serve := func() error { return h.http.Serve(h.crowd) }
	if h.tls {
		serve = func() error { return h.http.ServeTLS(h.crowd, "", "") }
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// close ends the streams, and gives other requests a short time.
func (h *listener) close() error {
	h.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if err := h.http.Shutdown(ctx); err != nil {
		return errors.Join(err, h.http.Close())
	}
	return nil
}
