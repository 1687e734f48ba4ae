package sink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
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
	env := []string{"GORSYNCD_SOURCE=" + c.Source, "GORSYNCD_SINK=" + c.Sink, "GORSYNCD_ROOT=" + c.Root,
		fmt.Sprintf("GORSYNCD_EVENTS=%d", len(events)), "GORSYNCD_FIRST_ID=" + events[0].ID}
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
	ran := outbound.Run(ctx, argv, c.env(events), stdin)
	if errors.Is(ran.Err, outbound.ErrRelative) {
		return needsPerson(idExec, "give its absolute path", "%s", outbound.Plainly(ran.Err))
	}
	return c.judge(ctx, ran.Err, ran.State, ran.Said)
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
		return needsPerson(idExec, "check command: its path and permissions", "%s", outbound.Plainly(err))
	case st.ExitCode() == 0:
		return delivered // also when a child of its still holds its output
	case st.ExitCode() < 0:
		return transient(idExit, "", "the command was ended by a signal (%s)%s", st.String(), said)
	case st.ExitCode() == outbound.ExitLater:
		return transient(idLater, "", "the command asks to be tried again later (exit 75)%s", said)
	case st.ExitCode() == 126, st.ExitCode() == 127:
		return needsPerson(idExec, "check what the command runs", "the command ended with exit %d%s", st.ExitCode(), said)
	}
	return rejected(idExit, "see what the command says; exit 75 means: try again later", "the command ended with exit %d%s", st.ExitCode(), said)
}
