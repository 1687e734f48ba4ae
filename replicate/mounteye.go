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
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return &mountEye{f}, nil
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
