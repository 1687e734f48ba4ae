package channel

import (
	"context"
	"errors"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// Command runs a program for each message, with the message as JSON on its standard
// input. Nothing goes through a shell.
type Command struct{ Argv []string }

var _ notify.Channel = (*Command)(nil)

func (c *Command) String() string { return names.Printable(c.Argv[0]) }

// Send implements notify.Channel.
func (c *Command) Send(ctx context.Context, m *notify.Message) (notify.Answer, *notify.Failure) {
	env := []string{"GORSYNCD_NOTIFIER=" + m.Notifier, "GORSYNCD_KIND=" + string(m.Kind), "GORSYNCD_TITLE=" + strings.ReplaceAll(m.Title, "\x00", "")}
	ran := outbound.Run(ctx, c.Argv, env, append(encode(m), '\n'))
	said := ""
	if ran.Said != "" {
		said = ": " + ran.Said
	}
	switch st := ran.State; {
	case errors.Is(ran.Err, outbound.ErrRelative):
		return notify.Answer{}, person(idExec, "give its absolute path", "%s", outbound.Plainly(ran.Err))
	case ctx.Err() != nil:
		return notify.Answer{}, transient(idSlow, "raise timeout", "the command did not end in time%s", said)
	case st == nil:
		return notify.Answer{}, person(idExec, "check command: its path and permissions", "%s", outbound.Plainly(ran.Err))
	case st.ExitCode() == 0: // also when a child of its still holds its output
		return notify.Answer{Text: strings.TrimSpace("exit 0 " + ran.Said)}, nil
	case st.ExitCode() == 126, st.ExitCode() == 127:
		return notify.Answer{}, person(idExec, "check what the command runs", "the command ended with exit %d%s", st.ExitCode(), said)
	case st.ExitCode() < 0:
		return notify.Answer{}, transient(idExit, "", "the command was ended by a signal (%s)%s", st.String(), said)
	}
	return notify.Answer{}, transient(idExit, "see what the command says", "the command ended with exit %d%s", ran.State.ExitCode(), said)
}
