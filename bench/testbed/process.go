package testbed

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a child in a process group of its own that cannot outlive us.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid when done is closed

	killOnce sync.Once
}

// StartProcess starts cmd. The caller keeps stdout and stderr settings, and the
// user, if SysProcAttr has a Credential.
func StartProcess(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.done)
		// Returning with the thread locked ends the thread, which is harmless
		// now that the child is gone.
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// Pid is the child's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the child and returns what exec.Cmd.Wait returned.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Signal sends sig to the child alone.
func (p *Process) Signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// Kill kills the child's whole group and waits for the child. Idempotent.
func (p *Process) Kill() {
	p.killOnce.Do(func() {
		select {
		case <-p.done:
		default:
			// The group has the child's pid as id for as long as the child is
			// not reaped, so this cannot hit a stranger.
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		}
	})
	<-p.done
}

// freePort returns a loopback TCP port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// waitBanner waits until the server at addr greets with prefix.
func waitBanner(p *Process, addr, prefix string, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		if banner(addr, len(prefix)) == prefix {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("server on %s ended at once: %w", addr, p.err)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("server on %s did not answer within %s", addr, limit)
		}
	}
}

func banner(addr string, n int) string {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return ""
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	buf := make([]byte, n)
	got, _ := c.Read(buf)
	return string(buf[:got])
}

// findTool looks for an executable, also in the sbin directories that are not
// on every user's path.
func findTool(name, debianPackage string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return filepath.Abs(p)
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		p := filepath.Join(dir, name)
		if st, err := os.Stat(p); err == nil && st.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s is not installed (Debian package %s)", name, debianPackage)
}
