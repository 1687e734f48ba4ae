package service

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sendTimeout bounds how long a busy service manager can keep us.
const sendTimeout = 5 * time.Second

// Notifier tells the service manager how this process is. A nil one tells nobody.
// Any goroutine may use it.
type Notifier struct {
	fd     int
	addr   string
	period time.Duration // of the watchdog; 0 for none
}

// FromEnv reads NOTIFY_SOCKET and the variables of the watchdog, and takes them
// out of the environment: what this process starts is not the service. An error
// says why the manager cannot be told although it wants to be.
func FromEnv() (*Notifier, error) {
	addr, usec, pid := os.Getenv("NOTIFY_SOCKET"), os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID")
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(name) // it fails for impossible names only
	}
	if addr == "" {
		return nil, nil
	}
	// "@" stands for the NUL byte that an abstract address begins with; package
	// unix translates it.
	if addr[0] != '/' && addr[0] != '@' {
		return nil, fmt.Errorf("NOTIFY_SOCKET is %q, neither a path nor an abstract address", addr)
	}
	period, err := watchdogPeriod(usec, pid, os.Getpid())
	if err != nil {
		return nil, err
	}
	return newNotifier(addr, period)
}

func newNotifier(addr string, period time.Duration) (*Notifier, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket to the service manager: %w", err)
	}
	limit := unix.NsecToTimeval(sendTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("limit the time of a message to the service manager: %w", err)
	}
	return &Notifier{fd: fd, addr: addr, period: period}, nil
}

// watchdogPeriod is 0 when no watchdog waits for this process.
func watchdogPeriod(usec, pid string, self int) (time.Duration, error) {
	if usec == "" || pid != "" && pid != strconv.Itoa(self) {
		return 0, nil
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 || n > int64(1<<62/time.Microsecond) {
		return 0, fmt.Errorf("WATCHDOG_USEC is %q, not a number of microseconds", usec)
	}
	return time.Duration(n) * time.Microsecond, nil
}

// send passes on assignments as in sd_notify(3).
func (n *Notifier) send(lines ...string) error {
	if n == nil {
		return nil
	}
	to := &unix.SockaddrUnix{Name: n.addr} // holds what is passed on: one for each call
	for {
		err := unix.Sendto(n.fd, []byte(strings.Join(lines, "\n")), unix.MSG_NOSIGNAL, to)
		switch {
		case err == nil:
			return nil
		case err != unix.EINTR:
			return fmt.Errorf("tell the service manager: %w", err)
		}
	}
}

// Ready says that the start is over; status is the line to be shown.
func (n *Notifier) Ready(status string) error { return n.send("READY=1", statusLine(status)) }

// Reloading says that the configuration is being applied; Ready ends it.
func (n *Notifier) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	return n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000), statusLine("reloading the configuration"))
}

// Stopping says that the end has begun.
func (n *Notifier) Stopping(status string) error { return n.send("STOPPING=1", statusLine(status)) }

// Status shows a line in systemctl status.
func (n *Notifier) Status(text string) error { return n.send(statusLine(text)) }

// Listens tells whether there is somebody to be told.
func (n *Notifier) Listens() bool { return n != nil }

// kick feeds the watchdog.
func (n *Notifier) kick() error { return n.send("WATCHDOG=1") }

// statusLine keeps a text from being taken for more assignments.
func statusLine(text string) string {
	return "STATUS=" + strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}
