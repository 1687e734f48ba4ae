package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/tty/ptytest"
)

// onTerminal runs a command line with the stand-in of a daemon on a terminal of its
// own.
func onTerminal(t *testing.T, pty *ptytest.Terminal, env []string, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp("", "grs") // paths of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: self, Args: append([]string{"api", filepath.Join(dir, "s")}, args...), Stdin: pty.TTY, Stdout: pty.TTY, Stderr: pty.TTY,
		Env:         append(os.Environ(), append([]string{"TERM=xterm", "NO_COLOR="}, env...)...),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, unless the test failed
	return cmd
}

func endOf(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// TestWatchOnATerminal: the screen is drawn, follows the window, is given back for
// ^Z and at every end, and never wraps: the terminal of the test fails then.
func TestWatchOnATerminal(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(pty *ptytest.Terminal, cmd *exec.Cmd)
		exit int
	}{
		"q":       {func(pty *ptytest.Terminal, _ *exec.Cmd) { pty.Type("q") }, control.ExitOK},
		"^C":      {func(pty *ptytest.Terminal, _ *exec.Cmd) { pty.Type("\x03") }, control.ExitInterrupted},
		"SIGTERM": {func(_ *ptytest.Terminal, cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGTERM) }, control.ExitInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pty := ptytest.New(t, 100, 20)
			before := pty.Modes()
			cmd := onTerminal(t, pty, nil, "status", "--watch")
			drawn := func(s *ptytest.Screen) bool {
				return s.Alternate && !s.Cursor && strings.Contains(s.Text(), "1 needs you: www/nas is failing\n") && strings.Contains(s.Text(), "www/web1")
			}
			pty.Until("drawn", drawn)
			pty.Resize(40, 6)
			pty.Until("drawn in a small window", func(s *ptytest.Screen) bool {
				return strings.Contains(s.Text(), "\nwww/nas   failing  88 310  2h13m") && strings.HasSuffix(s.Text(), "\n… 1 more in sync\n")
			})
			pty.Resize(3, 2)
			pty.Until("drawn in a tiny one", func(s *ptytest.Screen) bool { return strings.HasPrefix(s.Text(), "go…\n1 …\n") })
			pty.Resize(90, 30)
			pty.Until("drawn again", drawn)
			pty.Type("\x1a")
			pty.Until("given back for ^Z", func(s *ptytest.Screen) bool { return !s.Alternate && s.Cursor })
			stopped(t, cmd.Process.Pid) // after it has given the terminal back; a SIGCONT before that is lost
			if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			pty.Until("drawn after ^Z", drawn)
			end.do(pty, cmd)
			if code := endOf(t, cmd); code != end.exit {
				t.Errorf("exit status %d, want %d", code, end.exit)
			}
			pty.Until("restored", func(s *ptytest.Screen) bool { return !s.Alternate && s.Cursor && s.Wraps })
			if after := pty.Modes(); after != before {
				t.Errorf("modes %+v, before %+v", after, before)
			}
		})
	}
}

// stopped waits until a process has stopped as ^Z does it, see proc_pid_stat(5).
func stopped(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if i := strings.LastIndex(string(b), ") "); strings.HasPrefix(string(b[i+2:]), "T") {
			return
		}
	}
	t.Fatal("it does not stop for ^Z")
}

// TestWatchOnADumbTerminal: one block after the other, without any sequence.
func TestWatchOnADumbTerminal(t *testing.T) {
	t.Parallel()
	pty := ptytest.New(t, 200, 20)
	cmd := onTerminal(t, pty, []string{"TERM=dumb"}, "status", "--watch")
	pty.Until("shown twice", func(s *ptytest.Screen) bool { return strings.Count(s.Text(), "NAME  ") >= 2 && !s.Alternate })
	pty.Type("\x03")
	if code := endOf(t, cmd); code != control.ExitInterrupted {
		t.Errorf("exit status %d", code)
	}
	pty.NoEscapes()
}
