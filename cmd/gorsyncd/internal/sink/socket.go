package sink

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// Socket writes events to a stream socket, a connection for each batch, and ends its
// side of it. The receiver has them when it ends the other side: one that dies or is
// killed before it has read everything resets the connection, which is noticed. With
// Reply it says so besides, when it has dealt with them.
type Socket struct {
	Network string // tcp, unix
	Address string
	Sersync bool // the bare absolute path, a connection for each event
	Reply   bool // the receiver answers "ok" before it ends
	Limits
	Root string

	rate rate
}

func (s *Socket) String() string { return s.Network + " " + names.Printable(s.Address) }

// Deliver implements Delivery.
func (s *Socket) Deliver(ctx context.Context, events []Event) Result {
	if s.Sersync {
		return each(ctx, events, func(ctx context.Context, e *Event) Result {
			return s.send(ctx, func(w io.Writer) error {
				_, err := io.WriteString(w, e.In(s.Root))
				return err
			})
		})
	}
	return s.send(ctx, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		enc := json.NewEncoder(b)
		for i := range events {
			if err := enc.Encode(&events[i]); err != nil {
				return err
			}
		}
		return b.Flush()
	})
}

// halfConn is a connection of which one side can be ended.
type halfConn interface {
	net.Conn
	CloseWrite() error
}

func (s *Socket) send(ctx context.Context, write func(io.Writer) error) Result {
	if err := s.rate.wait(ctx, s.PerSecond); err != nil {
		return broken(ctx, err)
	}
	ctx, cancel := timed(ctx, s.Timeout)
	defer cancel()
	c, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, s.Network, s.Address)
	if err != nil {
		return broken(ctx, err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, ok := c.(halfConn)
	if !ok {
		return transient(idConnect, "", "%T cannot end one side", c)
	}
	if err := write(conn); err != nil {
		return s.broken(ctx, err)
	}
	if err := conn.CloseWrite(); err != nil {
		return s.broken(ctx, err)
	}
	reply, err := io.ReadAll(io.LimitReader(conn, outbound.MaxReply))
	if err == nil {
		_, err = io.Copy(io.Discard, conn) // its end is what counts
	}
	if err != nil {
		return s.broken(ctx, err)
	}
	if s.Network == "tcp" && unacknowledged(c) {
		return transient(idReply, "", "the receiver ended the connection without having read everything")
	}
	return s.judge(reply)
}

func (s *Socket) broken(ctx context.Context, err error) Result {
	if ctx.Err() == nil && (strings.Contains(err.Error(), "reset") || strings.Contains(err.Error(), "broken pipe")) {
		return transient(idReply, "", "the receiver ended the connection without having read everything")
	}
	return broken(ctx, err)
}

// judge reads the answer.
func (s *Socket) judge(reply []byte) Result {
	if !s.Reply {
		return delivered
	}
	var t outbound.Tail
	_, _ = t.Write(reply)
	switch said := t.String(); {
	case said == "ok":
		return delivered
	case said == "":
		return transient(idReply, "the receiver is to answer ok when it is done, or set reply: false", "the receiver ended the connection without an answer")
	default:
		return rejected(idReply, "see what the receiver says", "the receiver answered %q", said)
	}
}

// unacknowledged tells whether bytes are left that the other side's kernel has not
// acknowledged (SIOCOUTQ, tcp(7)): it ended its side before it could have read them.
func unacknowledged(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	left := 0 // what cannot be told counts for nothing
	_ = raw.Control(func(fd uintptr) { left, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return left > 1 // the end of our side counts for one
}
