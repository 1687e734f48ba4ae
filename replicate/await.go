package replicate

import (
	"os"

	"golang.org/x/sys/unix"
)

// awaitEnd returns when a child has ended that nobody has waited for yet; before
// that where the kernel has no file descriptor for it. os/exec waits in a blocking
// system call, and for the first 10 ms of one the runtime's monitor looks every
// 20 µs whether to take the processor away from it; most runs are no longer than
// that.
func awaitEnd(pid int) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK) // which has os.NewFile use the poller
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "child")
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
}
