package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
)

// detachLimit is how long a daemon in the background may take to answer: it may
// have to repair its journal.
const detachLimit = 5 * time.Minute

// detachedEnv tells a process that it is the one in the background. To take the
// flag out of its command line was rejected: it has many spellings, and with one
// that was overlooked each process would start another.
const detachedEnv = "GORSYNCD_DETACHED"

// isDetached is true once: what this process starts is not in the background.
func isDetached() bool {
	is := os.Getenv(detachedEnv) != ""
	_ = os.Unsetenv(detachedEnv) // it fails for impossible names only
	return is
}

// detached is what run --detach says.
type detached struct {
	PID    int    `json:"pid"`
	Log    string `json:"log"`
	Socket string `json:"socket"`
}

// detach starts the same command line once more, as the leader of a session of
// its own, and returns when that process answers. What keeps the configuration
// from being read has been said before. A process of Go cannot fork itself into
// the background: the child would lack the threads of the runtime. What a crash
// prints goes to the log file, too.
func (a *app) detach(c *cli.Context, conf *config.Config) error {
	logFile := conf.Log.File
	if logFile == "" {
		logFile = filepath.Join(conf.StateDir, "gorsyncd.log")
		if err := os.MkdirAll(conf.StateDir, 0o700); err != nil {
			return fmt.Errorf("make state directory: %w", err)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	out, err := os.OpenFile(logFile, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o640)
	if err != nil {
		return fmt.Errorf("open log file: %w", err)
	}
	defer out.Close()
	from, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("read log file: %w", err)
	}
	cmd := exec.Command(exe, append([]string{"--" + flagLogFile, logFile}, a.args...)...)
	cmd.Args[0] = "gorsyncd"
	cmd.Env = append(os.Environ(), detachedEnv+"=1")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	old := syscall.Umask(umask) // it sets its own, and hands this one to rsync
	err = cmd.Start()
	syscall.Umask(old)
	if err != nil {
		return fmt.Errorf("start in the background: %w", err)
	}
	if err := awaitDaemon(c.Context, cmd, control.New(conf.Socket.Path)); err != nil {
		return a.notStarted(err, io.NewSectionReader(out, from, 64<<10), logFile)
	}
	if a.json {
		return a.printJSON(detached{cmd.Process.Pid, logFile, conf.Socket.Path})
	}
	return a.print("gorsyncd runs in the background, pid %d, log %s\nsee it with: gorsyncd status --socket %s\n", cmd.Process.Pid, logFile, conf.Socket.Path)
}

// awaitDaemon waits until the process answers on its socket.
func awaitDaemon(ctx context.Context, cmd *exec.Cmd, client *control.Client) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.Now().Add(detachLimit); time.Now().Before(deadline); {
		s, err := client.Status(ctx)
		if err == nil && s.Daemon != nil && s.Daemon.PID == cmd.Process.Pid {
			return nil
		}
		select {
		case err := <-ended:
			return cmp.Or(err, errors.New("it has ended"))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("it does not answer after %s, and goes on", detachLimit)
}

// notStarted passes on the last of what the process said, and its exit status.
func (a *app) notStarted(err error, log io.Reader, logFile string) error {
	said, _ := io.ReadAll(log) // what can be read of it
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	a.message("%s", strings.Join(lines[max(0, len(lines)-5):], "\n"))
	a.message("gorsyncd did not start, see %s", logFile)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return silent(exit.ExitCode())
	}
	return fmt.Errorf("start in the background: %w", err)
}
