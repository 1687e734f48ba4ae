package sink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

// Command runs a program for events. Nothing goes through a shell, and paths are
// absolute: no file name can become a command or an option.
type Command struct {
	Argv []string // {path} in an element: one run for each event
	Limits
	JSON   bool // events on stdin as JSON lines, else absolute paths that end with NUL
	Source string
	Sink   string
	Root   string

	rate rate
}

// pathHolder stands for the absolute path of an event.
const pathHolder = "{path}"

// exitLater is EX_TEMPFAIL of sysexits.h: try again later.
const exitLater = 75

// termGrace is how long a program that is told to end may take.
const termGrace = 5 * time.Second

func (c *Command) String() string { return names.Printable(strings.Join(c.Argv, " ")) }

func (c *Command) perPath() bool {
	for _, a := range c.Argv {
		if strings.Contains(a, pathHolder) {
			return true
		}
	}
	return false
}

// Deliver implements Delivery.
func (c *Command) Deliver(ctx context.Context, events []Event) Result {
	if !c.perPath() {
		return c.run(ctx, c.Argv, c.stdin(events), events)
	}
	var bad []int
	worst := delivered
	for i := range events {
		argv := make([]string, len(c.Argv))
		for n, a := range c.Argv {
			argv[n] = strings.ReplaceAll(a, pathHolder, events[i].In(c.Root))
		}
		res := c.run(ctx, argv, nil, events[i:i+1])
		switch res.Class {
		case replicate.ClassOK:
		case replicate.ClassEntry:
			bad, worst = append(bad, i), res
		default:
			// Those that were rejected are tried again with the rest.
			res.Left = bad
			return res.from(i, len(events))
		}
	}
	worst.Left = bad
	return worst
}

func (c *Command) stdin(events []Event) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for i := range events {
		if c.JSON {
			_ = enc.Encode(&events[i]) // a buffer takes everything
			continue
		}
		b.WriteString(events[i].In(c.Root))
		b.WriteByte(0)
	}
	return b.Bytes()
}

// env is what the program is told besides: for one event also which it is.
func (c *Command) env(events []Event) []string {
	var env []string
	for _, kv := range os.Environ() {
		// The service manager's, not ours to pass on.
		if name, _, _ := strings.Cut(kv, "="); name != "NOTIFY_SOCKET" && name != "WATCHDOG_USEC" && name != "WATCHDOG_PID" {
			env = append(env, kv)
		}
	}
	env = append(env, "GORSYNCD_SOURCE="+c.Source, "GORSYNCD_SINK="+c.Sink, "GORSYNCD_ROOT="+c.Root,
		fmt.Sprintf("GORSYNCD_EVENTS=%d", len(events)), "GORSYNCD_FIRST_ID="+events[0].ID)
	if len(events) == 1 {
		env = append(env, "GORSYNCD_OP="+events[0].Op, "GORSYNCD_TYPE="+events[0].Type)
	}
	return env
}

// run runs the program once.
func (c *Command) run(ctx context.Context, argv []string, stdin []byte, events []Event) Result {
	if err := c.rate.wait(ctx, c.PerSecond); err != nil {
		return broken(ctx, err)
	}
	ctx, cancel := timed(ctx, c.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if !filepath.IsAbs(argv[0]) && errors.Is(cmd.Err, exec.ErrDot) {
		return needsPerson(idExec, "give its absolute path", "%s", plainly(cmd.Err))
	}
	var out tail
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = "/", c.env(events), bytes.NewReader(stdin), &out, &out
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
	return c.judge(ctx, err, cmd.ProcessState, out.String())
}

// judge says what an exit means.
func (c *Command) judge(ctx context.Context, err error, st *os.ProcessState, said string) Result {
	if said != "" {
		said = ": " + said
	}
	switch {
	case ctx.Err() != nil:
		return transient(idSlow, "raise timeout, or lower batch", "the command did not end in time%s", said)
	case st == nil && err != nil:
		return needsPerson(idExec, "check command: its path and permissions", "%s", plainly(err))
	case st.ExitCode() == 0:
		return delivered // also when a child of its still holds its output
	case st.ExitCode() < 0:
		return transient(idExit, "", "the command was ended by a signal (%s)%s", st.String(), said)
	case st.ExitCode() == exitLater:
		return transient(idLater, "", "the command asks to be tried again later (exit 75)%s", said)
	case st.ExitCode() == 126, st.ExitCode() == 127:
		return needsPerson(idExec, "check what the command runs", "the command ended with exit %d%s", st.ExitCode(), said)
	}
	return rejected(idExit, "see what the command says; exit 75 means: try again later", "the command ended with exit %d%s", st.ExitCode(), said)
}

// maxTail bounds what is kept of a program's output.
const maxTail = 4 << 10

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if n := len(t.b) - maxTail; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

// String is the last line that says something.
func (t *tail) String() string {
	lines := strings.Split(strings.TrimSpace(string(t.b)), "\n")
	last := []rune(names.Printable(strings.TrimSpace(lines[len(lines)-1])))
	const most = 300
	if len(last) > most {
		last = append(last[:most], '…')
	}
	return string(last)
}
