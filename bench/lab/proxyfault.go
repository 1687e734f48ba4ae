package lab

import (
	"net"
	"time"
)

// Rate limits each direction of all connections together to bytes a second; 0
// lifts it.
func (p *Proxy) Rate(bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate, p.free = bytes, [2]time.Time{}
}

// Delay holds back what arrives from now on for d, in each direction.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Freeze stops all data; connections are still accepted, and stay silent.
// Unfreezing goes on where it stopped.
func (p *Proxy) Freeze(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = on
	p.changed.Broadcast()
}

// Cut resets every present connection, on both sides.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut()
}

// cut needs mu held.
func (p *Proxy) cut() {
	for c := range p.conns {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // makes the close a reset
		}
		c.Close()
	}
	clear(p.conns)
}

// CutAfter lets so many bytes more pass, of both directions together; the byte
// after them resets every connection. The next connections live again. Negative
// calls it off.
func (p *Proxy) CutAfter(bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAfter = -1
	if bytes >= 0 {
		p.cutAfter = p.passed + bytes
	}
}

// Passed is the number of bytes relayed so far, both directions together.
func (p *Proxy) Passed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

// Refuse makes new connections fail at once; present ones live on.
func (p *Proxy) Refuse(on bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on && p.listener != nil {
		err := p.listener.Close()
		p.listener = nil
		return err
	}
	if !on && p.listener == nil && !p.closed {
		return p.listen(p.Addr)
	}
	return nil
}

// Close cuts everything and ends the proxy. Idempotent.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	var err error
	if p.listener != nil {
		err = p.listener.Close()
		p.listener = nil
	}
	p.cut()
	p.changed.Broadcast()
	p.mu.Unlock()
	p.wg.Wait()
	return err
}
