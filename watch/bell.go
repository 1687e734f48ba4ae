package watch

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// bell waits until a file descriptor is readable, and rings once for each wait.
//
// It is an epoll set of its own that the poller of the runtime waits for. To give
// the descriptor itself to that poller was rejected: it is woken for each event
// even while nobody waits, and on a file system where others are busy there are
// many. A blocking poll(2) was rejected, too: the thread keeps its processor of
// the runtime for 10 ms, and as long as it does the runtime's monitor looks every
// 20 µs whether to take it away; in a stream of a hundred changes a second that
// was four fifths of the processor time of the whole program.
type bell struct {
	set  *os.File
	conn interface {
		Read(func(fd uintptr) bool) error
	}
	fd int
}

func newBell(fd int) (*bell, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open epoll: %w", err)
	}
	if err := unix.SetNonblock(set, true); err != nil { // os.NewFile asks for it
		unix.Close(set)
		return nil, fmt.Errorf("open epoll: %w", err)
	}
	b := &bell{set: os.NewFile(uintptr(set), "epoll"), fd: fd}
	if err := b.open(set); err != nil {
		b.close()
		return nil, fmt.Errorf("use epoll: %w", err)
	}
	return b, nil
}

func (b *bell) open(set int) (err error) {
	if err := b.set.SetReadDeadline(time.Time{}); err != nil {
		return err // the poller did not take it
	}
	if b.conn, err = b.set.SyscallConn(); err != nil {
		return err
	}
	return unix.EpollCtl(set, unix.EPOLL_CTL_ADD, b.fd, &unix.EpollEvent{Events: unix.EPOLLONESHOT})
}

// wait returns nil when the descriptor is readable, or may be, and
// os.ErrDeadlineExceeded after stop.
func (b *bell) wait() error {
	var failed error
	armed := false
	err := b.conn.Read(func(set uintptr) bool {
		if !armed {
			ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(b.fd)}
			failed = unix.EpollCtl(int(set), unix.EPOLL_CTL_MOD, b.fd, &ev)
			armed = true
		}
		if failed != nil {
			return true
		}
		var ev [1]unix.EpollEvent
		n, err := unix.EpollWait(int(set), ev[:], 0)
		if err != nil && err != unix.EINTR {
			failed = err
		}
		return n > 0 || failed != nil
	})
	if err != nil {
		return err
	}
	return failed
}

// stop ends the wait that is under way, and all later ones. Any goroutine may
// call it before close.
func (b *bell) stop() { _ = b.set.SetReadDeadline(time.Unix(1, 0)) }

func (b *bell) close() { b.set.Close() }
