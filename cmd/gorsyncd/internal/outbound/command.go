package outbound

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// ExitLater is EX_TEMPFAIL of sysexits.h: try again later.
const ExitLater = 75

// termGrace is how long a program that is told to end may take.
const termGrace = 5 * time.Second

// Ran is how a program ended.
type Ran struct {
	State *os.ProcessState // nil when it was not started
	Err   error            // of starting it, or of waiting for it
	Said  string           // the last line that it printed, fit to be shown
}

// ErrRelative is of a program that would be found in the working directory.
var ErrRelative = errors.New("program in the working directory")

// relative is an ErrRelative in the words of os/exec.
type relative struct{ error }

func (relative) Is(target error) bool { return target == ErrRelative }

// Run runs a program once, in /, and waits for it. When ctx ends, the whole process
// group is told to end, and killed after a while. extra is added to the environment.
func Run(ctx context.Context, argv, extra []string, stdin []byte) Ran {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if !filepath.IsAbs(argv[0]) && errors.Is(cmd.Err, exec.ErrDot) {
		return Ran{Err: relative{cmd.Err}}
	}
	var out Tail
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = "/", append(environ(), extra...), bytes.NewReader(stdin), &out, &out
	cmd.WaitDelay = termGrace
	// Its children end with it, and all of them with us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	runtime.LockOSThread() // the death signal comes when this thread ends
	err := cmd.Run()
	runtime.UnlockOSThread()
	if cmd.Process != nil && ctx.Err() != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what has not ended by now
	}
	return Ran{State: cmd.ProcessState, Err: err, Said: out.String()}
}

// environ is ours without what is the service manager's, not ours to pass on.
func environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); name != "NOTIFY_SOCKET" && name != "WATCHDOG_USEC" && name != "WATCHDOG_PID" {
			env = append(env, kv)
		}
	}
	return env
}
