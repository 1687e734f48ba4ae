package replicate

import (
	"os"

	"golang.org/x/sys/unix"
)

// mountEye tells whether anything was mounted or unmounted since it was opened.
// The kernel counts the changes of a mount namespace for each opening of
// mountinfo and reports them to poll(2); proc_pid_mounts(5).
type mountEye struct{ f *os.File }

func openMountEye() (*mountEye, error) {
	const path = "/proc/self/mountinfo"
	// Not os.Open: the poller of the Go runtime would take the event.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &mountEye{os.NewFile(uintptr(fd), path)}, nil
}

// changed is true once after each change. What cannot be told has changed.
func (m *mountEye) changed() bool {
	fds := []unix.PollFd{{Fd: int32(m.f.Fd()), Events: unix.POLLPRI}}
	for {
		_, err := unix.Poll(fds, 0)
		if err == unix.EINTR {
			continue
		}
		return err != nil || fds[0].Revents&(unix.POLLPRI|unix.POLLERR) != 0
	}
}

func (m *mountEye) close() { m.f.Close() }
