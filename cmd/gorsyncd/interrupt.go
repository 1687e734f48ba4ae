package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// interruptible is the context of every command but run: the signals that would
// end the process end it, so that temporary copies are removed.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	// Once SIGPIPE is asked for it comes for every descriptor (os/signal), and so for
	// a daemon that goes away while it is asked something.
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-pipes:
				if outputGone() {
					cancel()
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(pipes)
		cancel()
		stop()
	}
}

// outputGone tells whether nobody reads stdout or stderr any more, as with head.
func outputGone() bool {
	fds := []unix.PollFd{{Fd: int32(syscall.Stdout)}, {Fd: int32(syscall.Stderr)}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return n > 0 && err == nil
		}
	}
}
