package channel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// Error ids; docs/errors.md describes each.
const (
	idConnect = "E-NOTIFY-CONNECT"
	idSlow    = "E-NOTIFY-TIMEOUT"
	idStatus  = "E-NOTIFY-STATUS"
	idAnswer  = "E-NOTIFY-ANSWER"
	idLimit   = "E-NOTIFY-LIMIT"
	idSecret  = "E-NOTIFY-SECRET"
	idSMTP    = "E-NOTIFY-SMTP"
	idExec    = "E-NOTIFY-EXEC"
	idExit    = "E-NOTIFY-EXIT"
)

func transient(id, hint, format string, args ...any) *notify.Failure {
	return &notify.Failure{ID: id, Hint: hint, Message: oneLine(fmt.Sprintf(format, args...))}
}

func person(id, hint, format string, args ...any) *notify.Failure {
	f := transient(id, hint, format, args...)
	f.Person = true
	return f
}

func limited(after time.Duration, format string, args ...any) *notify.Failure {
	f := transient(idLimit, "it takes few messages in a minute; the next attempt waits", format, args...)
	f.After = after
	return f
}

func oneLine(s string) string { return names.Printable(strings.Join(strings.Fields(s), " ")) }

// broken judges a connection that could not be made or used.
func broken(ctx context.Context, err error) *notify.Failure {
	var timeout net.Error
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return transient(idSlow, "raise timeout, if the receiver is only slow", "no answer in time")
	}
	return transient(idConnect, "is this the address of the receiver, and can it be reached from here?", "%s", outbound.Plainly(err))
}

// shortest is how long a part of a URL has to be to be taken for a secret.
const shortest = 6

// redact takes secrets out of a text: given ones, and whatever parts of a URL may be
// one.
func redact(text, address string, secrets ...string) string {
	if u, err := url.Parse(address); err == nil && address != "" {
		secrets = append(secrets, address, u.RequestURI(), u.RawQuery)
		secrets = append(secrets, strings.Split(u.Path, "/")...)
		for _, values := range u.Query() {
			secrets = append(secrets, values...)
		}
	}
	for _, s := range secrets {
		if len(s) >= shortest {
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	return text
}
