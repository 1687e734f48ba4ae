package control

import (
	"net"
	"sync"
)

// maxConns is how many connections there may be at once. Each takes a file
// descriptor, which the journal must not run out of.
const maxConns = 256

// limited closes the connections above a limit as they come.
type limited struct {
	net.Listener
	slots chan struct{}
}

func limit(l net.Listener, n int) *limited {
	return &limited{Listener: l, slots: make(chan struct{}, n)}
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &counted{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			_ = c.Close() // there is nobody to tell that it failed
		}
	}
}

type counted struct {
	net.Conn
	free func()
}

func (c *counted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
