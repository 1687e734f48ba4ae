package web

import (
	"crypto/tls"
	"errors"
	"math"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Connections.
const (
	// spareConns is how many there may be besides those of streams.
	spareConns = 256
	// refusers is how many of those that are one too many are told so at once;
	// the others are closed.
	refusers    = 256
	refuseLimit = 500 * time.Millisecond
	// patience is how long a connection may wait without a request before it makes
	// room for another.
	patience = time.Second
	// writeStall is how long one write may take.
	writeStall = 10 * time.Second
	// sendBuffer is how much the kernel keeps of what a connection does not take.
	sendBuffer = 256 << 10
	// perAddress is the part of all connections that one address may have, where
	// addresses tell people apart.
	perAddress = 4
)

// refusal is what a connection is told that is one too many, whatever it asks.
const refusal = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 10\r\n" +
	"Connection: close\r\n\r\n" + `{"error":{"code":"busy","message":"too many connections","hint":"try again later"}}` + "\n"

// crowd is a listener that bounds how many connections there are. When there are too
// many the one that has waited longest without a request makes room.
type crowd struct {
	net.Listener
	most   int // in all
	each   int // of one address; 0 is no limit
	plain  bool
	refuse chan struct{}

	mu    sync.Mutex
	conns map[*guest]bool // guarded by mu
	count map[netip.Prefix]int
}

// guest is one connection.
type guest struct {
	net.Conn
	crowd *crowd
	place netip.Prefix
	free  sync.Once

	// waiting tells that it has not sent a request, or none since the last, or does not
	// take an answer; since when. Guarded by crowd.mu.
	waiting bool
	since   time.Time
	stuck   bool // guarded by crowd.mu: it is written to

	deadline sync.Mutex
	limit    time.Time // guarded by deadline: of writing, as the server has set it
}

// connsWithin is how many connections there may be of those wanted: at least half of
// the files that the process may have open are for the replication and for the socket.
func connsWithin(wanted int, files uint64) int {
	return int(min(uint64(wanted), max(files/2, 1)))
}

// fileLimit is how many files the process may have open.
func fileLimit() uint64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return math.MaxUint64
	}
	return l.Cur
}

func newCrowd(l net.Listener, most, each int, plain bool) *crowd {
	return &crowd{Listener: l, most: most, each: each, plain: plain, refuse: make(chan struct{}, refusers),
		conns: map[*guest]bool{}, count: map[netip.Prefix]int{}}
}

// Accept returns the next connection that may stay.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g := c.admit(conn, time.Now()); g != nil {
			return g, nil
		}
		c.turnAway(conn)
	}
}

// admit makes a guest of a connection, or returns nil when there is no room.
func (c *crowd) admit(conn net.Conn, now time.Time) *guest {
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetWriteBuffer(sendBuffer) // else it is what the system has
	}
	g := &guest{Conn: conn, crowd: c, place: placeOf(addrOf(conn.RemoteAddr().String())), waiting: true, since: now}
	c.mu.Lock()
	var out *guest
	crowded := func(of func(*guest) bool) bool {
		if out = c.longest(of); out == nil || now.Sub(out.since) < patience {
			out = nil
			return true
		}
		c.forget(out)
		return false
	}
	full := c.each > 0 && c.count[g.place] >= c.each && crowded(func(o *guest) bool { return o.place == g.place })
	var first *guest
	first, out = out, nil
	full = full || len(c.conns) >= c.most && crowded(func(*guest) bool { return true })
	if !full {
		c.conns[g] = true
		c.count[g.place]++
	}
	c.mu.Unlock()
	for _, o := range []*guest{first, out} {
		if o != nil {
			o.Conn.Close()
		}
	}
	if full {
		return nil
	}
	return g
}

// longest is the guest that has waited longest without a request; nil when all are
// served. The caller holds mu.
func (c *crowd) longest(of func(*guest) bool) (found *guest) {
	for g := range c.conns {
		if g.waiting && of(g) && (found == nil || g.since.Before(found.since)) {
			found = g
		}
	}
	return found
}

// forget takes a guest out. The caller holds mu.
func (c *crowd) forget(g *guest) {
	if !c.conns[g] {
		return
	}
	delete(c.conns, g)
	if c.count[g.place]--; c.count[g.place] == 0 {
		delete(c.count, g.place)
	}
}

// turnAway tells a connection that it is one too many, unless too many are being told.
func (c *crowd) turnAway(conn net.Conn) {
	select {
	case c.refuse <- struct{}{}:
	default:
		conn.Close()
		return
	}
	go func() {
		defer func() { <-c.refuse }()
		defer conn.Close()
		if !c.plain {
			return // TLS would have to be spoken first
		}
		_ = conn.SetDeadline(time.Now().Add(refuseLimit))
		// What it asks is read so that the answer is not lost with the connection.
		if _, err := conn.Read(make([]byte, 4096)); err == nil {
			_, _ = conn.Write([]byte(refusal))
		}
	}()
}

// size is how many connections there are.
func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns)
}

// Close closes the connection and takes it out of the crowd.
func (g *guest) Close() error {
	g.free.Do(func() {
		g.crowd.mu.Lock()
		defer g.crowd.mu.Unlock()
		g.crowd.forget(g)
	})
	return g.Conn.Close()
}

// SetWriteDeadline notes the limit for Write.
func (g *guest) SetWriteDeadline(t time.Time) error {
	g.deadline.Lock()
	defer g.deadline.Unlock()
	g.limit = t
	return g.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both limits.
func (g *guest) SetDeadline(t time.Time) error {
	return errors.Join(g.SetReadDeadline(t), g.SetWriteDeadline(t))
}

// Write gives up earlier than the server when nothing is taken: an answer may take
// long to make, but not to be read. Meanwhile it may make room for others.
func (g *guest) Write(text []byte) (int, error) {
	begun := time.Now()
	stall := begun.Add(writeStall)
	g.deadline.Lock()
	if !g.limit.IsZero() && g.limit.Before(stall) {
		stall = g.limit
	}
	err := g.Conn.SetWriteDeadline(stall)
	g.deadline.Unlock()
	if err != nil {
		return 0, err
	}
	g.crowd.writes(g, true, begun)
	defer g.crowd.writes(g, false, begun)
	return g.Conn.Write(text)
}

// writes notes whether a guest is written to, and meanwhile may make room for others.
func (c *crowd) writes(g *guest, begins bool, now time.Time) {
	c.waits(g, begins, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	g.stuck = begins
}

// relieve drops those that do not take their answers, so that others are served.
func (c *crowd) relieve() {
	now := time.Now()
	var out []*guest
	c.mu.Lock()
	for g := range c.conns {
		if g.stuck && now.Sub(g.since) >= patience {
			out = append(out, g)
			c.forget(g)
		}
	}
	c.mu.Unlock()
	for _, g := range out {
		g.Conn.Close()
	}
}

// waits notes whether a guest may make room for others.
func (c *crowd) waits(g *guest, waiting bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if waiting && !g.waiting {
		g.since = now
	}
	g.waiting = waiting
}

// watch is for http.Server.ConnState: who is served does not make room for others.
func (c *crowd) watch(conn net.Conn, state http.ConnState) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	g, ok := conn.(*guest)
	if !ok {
		return
	}
	c.waits(g, state == http.StateNew || state == http.StateIdle, time.Now())
}
