// Package ptytest has a terminal for tests: a pseudo-terminal of the kernel's, and
// a screen that understands what package tty writes to it.
package ptytest

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a pseudo-terminal. Its methods may be called concurrently.
type Terminal struct {
	TTY *os.File // the side of the program

	tb     testing.TB
	master *os.File
	mu     sync.Mutex
	screen *Screen
	raw    []byte
	done   chan struct{}
}

// New opens a terminal of a size, which is closed at the end of the test.
func New(tb testing.TB, width, height int) *Terminal {
	tb.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		tb.Skipf("no pseudo-terminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	var slave *os.File
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		tb.Fatal(err)
	}
	t := &Terminal{TTY: slave, tb: tb, master: master, screen: NewScreen(width, height), done: make(chan struct{})}
	t.Resize(width, height)
	go t.read()
	tb.Cleanup(func() {
		slave.Close()
		<-t.done // EIO, when nobody has the other side any more
		master.Close()
	})
	return t
}

func (t *Terminal) read() {
	defer close(t.done)
	buf := make([]byte, 4096)
	for {
		n, err := t.master.Read(buf)
		t.mu.Lock()
		t.raw = append(t.raw, buf[:n]...)
		t.screen.Write(buf[:n])
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Resize changes the size of the window.
func (t *Terminal) Resize(width, height int) {
	t.tb.Helper()
	t.mu.Lock()
	t.screen.Resize(width, height)
	t.mu.Unlock()
	if err := unix.IoctlSetWinsize(int(t.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)}); err != nil {
		t.tb.Fatal(err)
	}
}

// Type sends keys.
func (t *Terminal) Type(keys string) {
	t.tb.Helper()
	if _, err := t.master.WriteString(keys); err != nil {
		t.tb.Fatal(err)
	}
}

// Modes are the settings of the line.
func (t *Terminal) Modes() unix.Termios {
	t.tb.Helper()
	m, err := unix.IoctlGetTermios(int(t.master.Fd()), unix.TCGETS)
	if err != nil {
		t.tb.Fatal(err)
	}
	return *m
}

// Until waits until the screen is as a condition wants it, which names it.
func (t *Terminal) Until(what string, is func(s *Screen) bool) {
	t.tb.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		t.mu.Lock()
		ok, text, fault := is(t.screen), t.screen.Text(), t.screen.Fault
		raw := t.raw[max(0, len(t.raw)-500):]
		t.mu.Unlock()
		if fault != "" {
			t.tb.Fatalf("the screen: %s", fault)
		}
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.tb.Fatalf("never %s; the screen is\n%s\nafter %q", what, text, raw)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// NoEscapes fails if any sequence was written so far.
func (t *Terminal) NoEscapes() {
	t.tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := bytes.IndexByte(t.raw, 0x1b); i >= 0 {
		t.tb.Errorf("there is a sequence in %q", t.raw[i:])
	}
}
