package sink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/outbound"
	"gorsyncd/replicate"
)

// Error ids of sinks; docs/errors.md describes each.
const (
	idConnect = "E-SINK-CONNECT"
	idSlow    = "E-SINK-TIMEOUT"
	idStatus  = "E-SINK-STATUS"
	idReply   = "E-SINK-REPLY"
	idExec    = "E-SINK-EXEC"
	idExit    = "E-SINK-EXIT"
	idLater   = "E-SINK-LATER"
	idSecret  = "E-SINK-SECRET"
)

var delivered = Result{Outcome: replicate.Outcome{Class: replicate.ClassOK}}

func transient(id, hint, format string, args ...any) Result {
	return Result{Outcome: replicate.Outcome{ID: id, Class: replicate.ClassTransient, Hint: hint, Message: fmt.Sprintf(format, args...)}}
}

func needsPerson(id, hint, format string, args ...any) Result {
	return Result{Outcome: replicate.Outcome{ID: id, Class: replicate.ClassConfig, Hint: hint, Message: fmt.Sprintf(format, args...)}}
}

func rejected(id, hint, format string, args ...any) Result {
	return Result{Outcome: replicate.Outcome{ID: id, Class: replicate.ClassEntry, Hint: hint, Message: fmt.Sprintf(format, args...)}}
}

// errSlow is why a request ended that took too long.
var errSlow = errors.New("no answer in time")

// timed bounds one request.
func timed(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, errSlow)
}

// broken judges a connection that could not be made or used.
func broken(ctx context.Context, err error) Result {
	var timeout net.Error
	if errors.Is(context.Cause(ctx), errSlow) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return transient(idSlow, "raise timeout, or lower batch", "no answer in time")
	}
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EACCES) {
		return needsPerson(idConnect, "check the path of the socket and its permissions", "%s", outbound.Plainly(err))
	}
	return transient(idConnect, "is the receiver running, and is this its address?", "%s", outbound.Plainly(err))
}

// from marks that the events from one on are left; those before were delivered one
// by one.
func (r Result) from(first, count int) Result {
	for i := first; i < count; i++ {
		r.Left = append(r.Left, i)
	}
	return r
}
