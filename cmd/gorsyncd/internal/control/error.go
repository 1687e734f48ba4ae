package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/journal"
)

// Code is the stable name of a kind of error. Scripts may rely on it.
type Code string

const (
	CodeInternal    Code = "internal"
	CodeUsage       Code = "usage"
	CodeNotFound    Code = "not_found"
	CodeNotInSync   Code = "not_in_sync"
	CodeProblem     Code = "problem"     // at least one remote is failing or held
	CodeGap         Code = "journal_gap" // what was asked for is no longer all in the journal
	CodeDamaged     Code = "journal_damaged"
	CodeUnreachable Code = "daemon_unreachable"
	CodeBusy        Code = "busy" // in use by another instance, or too many requests
	CodePermission  Code = "permission_denied"
	CodeConfig      Code = "config_invalid"
	CodeInterrupted Code = "interrupted"
	CodeMethod      Code = "method_not_allowed"
	CodeToken       Code = "token_needed" // or the one that was given is wrong
	CodeThrottled   Code = "throttled"    // too many wrong tokens
	CodeTooLarge    Code = "too_large"
)

// Exit statuses, after sysexits where it has one. Never 2: a Go panic ends
// with it, and a service manager must tell the two apart.
const (
	ExitOK          = 0
	ExitError       = 1
	ExitNotInSync   = 3
	ExitProblem     = 4
	ExitDifferences = 5
	ExitUsage       = 64
	ExitUnreachable = 69
	ExitBusy        = 75
	ExitPermission  = 77
	ExitConfig      = 78
	ExitInterrupted = 130
)

// codes is the one table of what a code means outside of this process.
var codes = map[Code]struct{ exit, http int }{
	CodeInternal:    {ExitError, http.StatusInternalServerError},
	CodeUsage:       {ExitUsage, http.StatusBadRequest},
	CodeNotFound:    {ExitError, http.StatusNotFound},
	CodeNotInSync:   {ExitNotInSync, http.StatusConflict},
	CodeProblem:     {ExitProblem, http.StatusConflict},
	CodeGap:         {ExitNotInSync, http.StatusGone},
	CodeDamaged:     {ExitError, http.StatusInternalServerError},
	CodeUnreachable: {ExitUnreachable, http.StatusServiceUnavailable},
	CodeBusy:        {ExitBusy, http.StatusServiceUnavailable},
	CodePermission:  {ExitPermission, http.StatusForbidden},
	CodeConfig:      {ExitConfig, http.StatusUnprocessableEntity},
	CodeInterrupted: {ExitInterrupted, http.StatusServiceUnavailable},
	CodeMethod:      {ExitUsage, http.StatusMethodNotAllowed},
	CodeToken:       {ExitPermission, http.StatusUnauthorized},
	CodeThrottled:   {ExitBusy, http.StatusTooManyRequests},
	CodeTooLarge:    {ExitUsage, http.StatusRequestEntityTooLarge},
}

// Error is what a user is told: what happened, and what to do about it.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Err     error  `json:"-"` // the cause, if it is in this process
}

// Error returns the message; the hint is for the last line of output only.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Exit is the process exit status of e.
func (e *Error) Exit() int {
	if c, ok := codes[e.Code]; ok {
		return c.exit
	}
	return ExitError
}

func (e *Error) httpStatus() int {
	if c, ok := codes[e.Code]; ok {
		return c.http
	}
	return http.StatusInternalServerError
}

// Classify turns any error into an *Error; nil stays nil. It is the only place
// that decides what kind of error something is.
func Classify(err error) *Error {
	if err == nil {
		return nil
	}
	var known *Error
	var conf *config.Errors
	var lost *journal.LostError
	var corrupt *journal.CorruptError
	var request *events.RequestError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &Error{Code: CodeTooLarge, Message: fmt.Sprintf("the request is larger than %d bytes", large.Limit), Err: err}
	case errors.As(err, &known):
		if known.Message != err.Error() {
			return &Error{Code: known.Code, Message: err.Error(), Hint: known.Hint, Err: err}
		}
		return known
	case errors.As(err, &request):
		return &Error{Code: CodeUsage, Message: err.Error(), Hint: request.Hint, Err: err}
	case errors.As(err, &conf):
		return &Error{Code: CodeConfig, Message: err.Error(), Err: err}
	case errors.Is(err, journal.ErrLocked):
		return &Error{Code: CodeBusy, Message: err.Error(), Hint: "another gorsyncd uses this state directory; choose another one with --state-dir", Err: err}
	case errors.As(err, &lost), errors.As(err, &corrupt):
		return &Error{Code: CodeDamaged, Message: err.Error(), Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: CodeNotInSync, Message: err.Error(), Err: err}
	case errors.Is(err, context.Canceled):
		return &Error{Code: CodeInterrupted, Message: "interrupted", Err: err}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Code: CodePermission, Message: err.Error(), Err: err}
	}
	return &Error{Code: CodeInternal, Message: err.Error(), Err: err}
}

// ErrorDocument is the JSON form of an error, on the wire and on stderr.
type ErrorDocument struct {
	Error *Error `json:"error"`
}
