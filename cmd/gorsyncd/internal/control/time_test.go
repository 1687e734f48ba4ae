package control

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener in memory, so that time can be virtual.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) dial(context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

// serveInMemory is serve without a socket.
func serveInMemory(t *testing.T, api API) (c *Client, stop func()) {
	t.Helper()
	p := newPipes()
	ctx, cancel := context.WithCancel(t.Context())
	service := NewService(Options{API: api})
	s := &Server{service: service, own: true, sock: &socket{Listener: p}, cancel: cancel}
	s.http = &http.Server{Handler: service.Handler(Limits{Requests: maxRequests, Streams: maxFollowers, Body: maxBody}, nil), BaseContext: func(net.Listener) context.Context { return ctx }}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	return &Client{Dial: p.dial}, func() {
		check(t, s.Close())
		check(t, <-served)
	}
}

// TestSlowWorkIsNoSilence: heartbeats keep a client waiting for as long as the
// server works.
func TestSlowWorkIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const work = 20 * time.Minute
		f := &fake{flush: func(ctx context.Context, _ FlushRequest, _ func(FlushProgress)) error {
			select {
			case <-time.After(work):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		c, stop := serveInMemory(t, f)
		start := time.Now()
		check(t, c.Flush(t.Context(), FlushRequest{Timeout: time.Hour}, nil))
		if got := time.Since(start); got != work {
			t.Errorf("returned after %v", got)
		}
		stop()
	})
}

// TestSilentDaemon: a client gives up on a daemon that has stopped working.
func TestSilentDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var held []net.Conn
		c := &Client{Path: "/s", Dial: func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			held = append(held, theirs)
			go func() { _, _ = io.Copy(io.Discard, theirs) }() // takes the request, says nothing
			return ours, nil
		}}
		for name, ask := range map[string]func() error{
			"status": func() error { _, err := c.Status(t.Context()); return err },
			"flush":  func() error { return c.Flush(t.Context(), FlushRequest{Timeout: 24 * time.Hour}, nil) },
		} {
			start := time.Now()
			err := ask()
			if e := Classify(err); e == nil || e.Code != CodeUnreachable {
				t.Errorf("%s: %v", name, err)
			}
			if got := time.Since(start); got != silence {
				t.Errorf("%s gave up after %v, want %v", name, got, silence)
			}
		}
		for _, conn := range held {
			check(t, conn.Close())
		}
	})
}

// TestStuckWorkEnds: the server gives up on work that outlives its limit.
func TestStuckWorkEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{slow: make(chan struct{}), entered: make(chan struct{})}
		c, stop := serveInMemory(t, f)
		start := time.Now()
		_, err := c.Status(t.Context())
		if e := Classify(err); e == nil || e.Code != CodeBusy || e.Exit() != ExitBusy {
			t.Errorf("got %v", err)
		}
		if got := time.Since(start); got != lookLimit {
			t.Errorf("ended after %v", got)
		}
		stop()
	})
}
