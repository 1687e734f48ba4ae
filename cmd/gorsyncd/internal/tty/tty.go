// Package tty draws on a terminal as a whole, and leaves it as it was.
//
// # Usage
//
//	s, err := tty.Open(os.Stdout, os.Stdin)
//	defer s.Close()
//	for {
//		w, h := s.Size()
//		s.Draw(lines) // at most h, none wider than w
//		select {
//		case <-s.Resized():
//		case <-s.Stopped(): s.Suspend()
//		case k := <-s.Keys():
//		case <-ctx.Done(): return
//		}
//	}
//
// # Properties
//
//   - It draws on the alternate screen: what was on the terminal is there again
//     after Close, which also shows the cursor and sets the modes as they were. The
//     caller turns the signals that would end it into a return, so that it is called.
//   - A drawing is one write, and terminals that can show it at once do: nothing
//     flickers. Lines do not wrap, should a window have become narrow meanwhile.
//   - Keys are read only if the input is a terminal of our own process group's;
//     signals of the keyboard (^C, ^Z, ^\) stay signals.
package tty

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

const (
	enter = "\x1b[?1049h\x1b[?25l\x1b[?7l" // alternate screen, no cursor, no wrapping
	leave = "\x1b[?7h\x1b[?25h\x1b[?1049l"

	// Terminals that do not know these two pass them over.
	beginDraw = "\x1b[?2026h"
	endDraw   = "\x1b[?2026l"
)

// Screen is a terminal in use. One goroutine calls its methods.
type Screen struct {
	out, in *os.File // in is nil without keys
	before  *term.State
	keys    *keyReader
	resized chan struct{}
	stopped chan struct{}
	signals chan os.Signal
	done    chan struct{}
	wg      sync.WaitGroup
	once    sync.Once
	err     error // of Close
}

// Open takes a terminal over. Without a terminal as in there are no keys; a nil in
// is none.
func Open(out, in *os.File) (*Screen, error) {
	s := &Screen{out: out, resized: make(chan struct{}, 1), stopped: make(chan struct{}, 1),
		signals: make(chan os.Signal, 4), done: make(chan struct{})}
	if in != nil && term.IsTerminal(int(in.Fd())) && inForeground(in) {
		s.in = in
	}
	if err := s.take(); err != nil {
		return nil, fmt.Errorf("take over the terminal: %w", err)
	}
	if s.in != nil {
		var err error
		if s.keys, err = newKeyReader(s.in); err != nil {
			return nil, errors.Join(fmt.Errorf("read keys: %w", err), s.give())
		}
	}
	signal.Notify(s.signals, syscall.SIGWINCH, syscall.SIGTSTP)
	s.wg.Go(s.listen)
	return s, nil
}

// inForeground tells whether a read would not stop us: a job in the background must
// not touch the modes of the terminal either.
func inForeground(f *os.File) bool {
	pgrp, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err == nil && pgrp == unix.Getpgrp()
}

func (s *Screen) listen() {
	for {
		select {
		case <-s.done:
			return
		case sig := <-s.signals:
			to := s.resized
			if sig == syscall.SIGTSTP {
				to = s.stopped
			}
			select {
			case to <- struct{}{}:
			default: // it is known already
			}
		}
	}
}

// take sets the modes.
func (s *Screen) take() error {
	if s.in != nil {
		fd := int(s.in.Fd())
		before, err := term.GetState(fd)
		if err != nil {
			return err
		}
		s.before = before
		if err := charByChar(fd); err != nil {
			return err
		}
	}
	if _, err := s.out.WriteString(enter); err != nil {
		return errors.Join(err, s.give())
	}
	return nil
}

// charByChar has keys arrive one by one and unseen. term.MakeRaw would also take
// the signals of the keyboard away, and the newlines of whoever else writes there.
func charByChar(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("ioctl", err)
	}
	t.Lflag &^= unix.ICANON | unix.ECHO
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return os.NewSyscallError("ioctl", unix.IoctlSetTermios(fd, unix.TCSETS, t))
}

// give sets the modes as they were.
func (s *Screen) give() error {
	_, err := s.out.WriteString(leave)
	if s.before != nil {
		err = errors.Join(err, term.Restore(int(s.in.Fd()), s.before))
	}
	return err
}

// Size is the number of columns and lines; 80 and 24 when the terminal does not
// tell.
func (s *Screen) Size() (width, height int) {
	width, height, err := term.GetSize(int(s.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// Draw replaces what is on the screen. Lines may have SGR sequences and nothing
// else that is not printed.
func (s *Screen) Draw(lines []string) error {
	_, height := s.Size()
	lines = lines[:min(len(lines), height)]
	var b strings.Builder
	b.WriteString(beginDraw + "\x1b[H")
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		// Before the text: behind a full line it would erase the last cell.
		b.WriteString("\x1b[K" + l)
	}
	if len(lines) == 0 {
		b.WriteString("\x1b[J")
	} else if len(lines) < height {
		b.WriteString("\r\n\x1b[J")
	}
	b.WriteString(endDraw)
	if _, err := s.out.WriteString(b.String()); err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	return nil
}

// Resized tells that the window has another size.
func (s *Screen) Resized() <-chan struct{} { return s.resized }

// Stopped tells that the user wants the process stopped (^Z): call Suspend.
func (s *Screen) Stopped() <-chan struct{} { return s.stopped }

// Keys are the keys that mean something; nil where none are read.
func (s *Screen) Keys() <-chan Key {
	if s.keys == nil {
		return nil
	}
	return s.keys.out
}

// Suspend gives the terminal back, stops the process, and takes the terminal over
// again when it is continued.
func (s *Screen) Suspend() error {
	if err := s.give(); err != nil {
		return err
	}
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	if err := unix.Kill(unix.Getpid(), unix.SIGSTOP); err != nil {
		return os.NewSyscallError("kill", err)
	}
	<-continued // another thread may be the one that is stopped first
	return s.take()
}

// Close gives the terminal back. It may be called more than once.
func (s *Screen) Close() error {
	s.once.Do(func() {
		signal.Stop(s.signals)
		close(s.done)
		s.wg.Wait()
		if s.keys != nil {
			s.keys.close()
		}
		s.err = s.give()
	})
	return s.err
}
