package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// socketBuffer bounds what the kernel holds per connection and direction, so
// that a rate is felt by the sender and not hidden in buffers.
const socketBuffer = 64 << 10

// Proxy is a TCP relay on a loopback port that misbehaves on demand. Needs no
// root. Its methods may be called from any goroutine and act on the connections
// that exist as on those to come.
type Proxy struct {
	Addr string // 127.0.0.1:PORT, the same for the life of the proxy
	Port int

	target string

	mu       sync.Mutex
	changed  *sync.Cond
	listener net.Listener // nil while refusing
	conns    map[net.Conn]bool
	frozen   bool
	closed   bool
	delay    time.Duration
	rate     int64        // bytes a second and direction; 0 is unlimited
	free     [2]time.Time // when each direction has sent what was given to it
	cutAfter int64        // bytes until the cut; negative is never
	passed   int64
	wg       sync.WaitGroup
}

// NewProxy starts a relay to target, a host:port that need not answer yet.
func NewProxy(target string) (*Proxy, error) {
	p := &Proxy{target: target, conns: map[net.Conn]bool{}, cutAfter: -1}
	p.changed = sync.NewCond(&p.mu)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.listen("127.0.0.1:0"); err != nil {
		return nil, err
	}
	addr := p.listener.Addr().(*net.TCPAddr)
	p.Addr, p.Port = addr.String(), addr.Port
	return p, nil
}

// listen needs mu held.
func (p *Proxy) listen(addr string) error {
	small := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, socketBuffer)
		}), err)
	}}
	l, err := small.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	p.listener = l
	p.wg.Go(func() { p.accept(l) })
	return nil
}

func (p *Proxy) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed by Refuse or Close
		}
		if p.track(c) {
			p.wg.Go(func() { p.serve(c) })
		}
	}
}

// track takes c under Cut's power; false if the proxy is closed.
func (p *Proxy) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}

// serve connects c to the target and relays until both directions have ended.
func (p *Proxy) serve(c net.Conn) {
	defer p.drop(c)
	if !p.thawed() { // a frozen proxy accepts, and then is silent
		return
	}
	t, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		_ = c.(*net.TCPConn).SetLinger(0) // the client sees a reset, as from a dead server
		return
	}
	if !p.track(t) {
		return
	}
	defer p.drop(t)
	var both sync.WaitGroup
	both.Go(func() { p.relay(t, c, 0) })
	both.Go(func() { p.relay(c, t, 1) })
	both.Wait()
}

// piece is data on its way, not due before at.
type piece struct {
	data []byte
	at   time.Time
}

// relay moves src to dst: a reader that stamps what comes, and a writer that
// holds it back. The bounded queue between them stops a reader that is ahead.
func (p *Proxy) relay(dst, src net.Conn, way int) {
	queue := make(chan piece, 64)
	done := make(chan struct{})
	defer close(done)
	p.wg.Go(func() {
		defer close(queue)
		for {
			buf := make([]byte, 16<<10)
			n, err := src.Read(buf)
			if n > 0 {
				select {
				case queue <- piece{buf[:n], time.Now().Add(p.latency())}:
				case <-done:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	for q := range queue {
		time.Sleep(time.Until(q.at))
		if !p.send(dst, q.data, way) {
			src.Close() // ends the reader
			return
		}
	}
	if p.thawed() {
		_ = dst.(*net.TCPConn).CloseWrite() // fails if cut, which is the same
	}
}

// send writes data in pieces of at most 50 ms at the present rate.
func (p *Proxy) send(dst net.Conn, data []byte, way int) bool {
	for len(data) > 0 {
		n, wait := p.share(len(data), way)
		time.Sleep(wait)
		if n = p.take(dst, n); n == 0 {
			return false
		}
		if _, err := dst.Write(data[:n]); err != nil {
			return false
		}
		data = data[n:]
	}
	return true
}

// share says how much of n bytes to send next, and after what time. All
// connections take their turn on one line.
func (p *Proxy) share(n, way int) (int, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate <= 0 {
		return n, 0
	}
	n = int(min(int64(n), max(p.rate/20, 1)))
	now := time.Now()
	if p.free[way].Before(now) {
		p.free[way] = now
	}
	p.free[way] = p.free[way].Add(time.Duration(int64(n) * int64(time.Second) / p.rate))
	return n, p.free[way].Sub(now)
}

func (p *Proxy) latency() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay
}

// thawed waits while frozen; false when the proxy is closed.
func (p *Proxy) thawed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.awaitThaw()
}

// awaitThaw needs mu held.
func (p *Proxy) awaitThaw() bool {
	for p.frozen && !p.closed {
		p.changed.Wait()
	}
	return !p.closed
}

// take waits while frozen, and says how many of n > 0 bytes may go to dst now,
// which counts them; 0 if it was cut, as by this very call.
func (p *Proxy) take(dst net.Conn, n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.awaitThaw() || !p.conns[dst] {
		return 0
	}
	if p.cutAfter >= 0 {
		n = int(min(int64(n), p.cutAfter-p.passed))
		if n == 0 {
			p.cutAfter = -1
			p.cut()
		}
	}
	p.passed += int64(n)
	return n
}
