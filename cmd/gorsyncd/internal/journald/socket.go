package journald

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// socketPath is where the journal listens.
const socketPath = "/run/systemd/journal/socket"

// patience is how long the first message that is not taken is waited for.
const patience = time.Second

// OnStderr tells whether standard error is connected to the journal.
func OnStderr() bool { return connected(os.Getenv("JOURNAL_STREAM"), int(os.Stderr.Fd())) }

// connected compares a descriptor with what systemd says of the one it has passed
// on: one that was redirected since is another.
func connected(stream string, fd int) bool {
	var st unix.Stat_t
	if stream == "" || unix.Fstat(fd, &st) != nil {
		return false
	}
	return stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// socket sends entries to the journal.
type socket struct {
	fd int
	to unix.SockaddrUnix

	mu   sync.Mutex // guards the following
	lost uint64     // entries that were not taken since one was
}

func openSocket(path string) (*socket, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket to the journal: %w", err)
	}
	limit := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("limit the time of an entry: %w", err)
	}
	// As sd_journal_send(3): most that the kernel lets us have.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 8<<20)
	return &socket{fd: fd, to: unix.SockaddrUnix{Name: path}}, nil
}

func (s *socket) close() error { return unix.Close(s.fd) }

// send passes an entry on, or counts it as lost.
func (s *socket) send(e entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost > 0 {
		var note entry
		note.add("MESSAGE", fmt.Sprintf("%d messages before this one are missing: the journal did not take them", s.lost))
		note.add("PRIORITY", "4")
		note.add("SYSLOG_IDENTIFIER", identifier)
		if err := s.sendOne(note, unix.MSG_DONTWAIT); err != nil {
			s.lost++
			return err
		}
		s.lost = 0
	}
	err := s.sendOne(e, 0)
	if err != nil {
		s.lost++
	}
	return err
}

func (s *socket) sendOne(e entry, flags int) error {
	for {
		err := unix.Sendto(s.fd, e, unix.MSG_NOSIGNAL|flags, &s.to)
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.EMSGSIZE, unix.ENOBUFS:
			return s.sendFile(e, flags)
		default:
			return fmt.Errorf("send to the journal: %w", err)
		}
	}
}

// sendFile passes on in a sealed file in memory what is too big for a message.
func (s *socket) sendFile(e entry, flags int) error {
	fd, err := unix.MemfdCreate("gorsyncd-log", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return fmt.Errorf("make a file for the journal: %w", err)
	}
	f := os.NewFile(uintptr(fd), "gorsyncd-log")
	defer f.Close()
	if _, err := f.Write(e); err != nil {
		return fmt.Errorf("write a file for the journal: %w", err)
	}
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("seal a file for the journal: %w", err)
	}
	for {
		err := unix.Sendmsg(s.fd, nil, unix.UnixRights(fd), &s.to, unix.MSG_NOSIGNAL|flags)
		if err == nil || err != unix.EINTR {
			return err
		}
	}
}

// entry is one in the form of the native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).
type entry []byte

// add appends a field. Its value may be any bytes: one with a newline is sent with
// its length. The name has to be valid.
func (e *entry) add(name, value string) {
	b := append(*e, name...)
	if strings.IndexByte(value, '\n') < 0 {
		b = append(b, '=')
	} else {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	}
	b = append(b, value...)
	*e = append(b, '\n')
}
