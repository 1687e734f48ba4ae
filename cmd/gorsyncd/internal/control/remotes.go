package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// heldFirst is how many names of what is held are shown.
const heldFirst = 20

// Held is what a guard keeps from a remote until a person approves.
type Held struct {
	Reason string `json:"reason"` // "" when nothing is held
	// Count is how many paths would be removed; null when only a comparison with
	// the remote could tell, as for a full sync.
	Count *uint64      `json:"count"`
	First []names.Path `json:"first"` // of them, relative to the source
	Note  string       `json:"note,omitempty"`
}

// Bodies of the actions on one remote. Each may be left out.
type (
	// PauseOne stops a remote or sink.
	PauseOne struct {
		ForSeconds float64 `json:"for_seconds"` // 0: until resumed
		Reason     string  `json:"reason"`
	}
	// RetryOne skips back-offs.
	RetryOne struct {
		Paths []names.Path `json:"paths"` // absolute; none: all that failed
	}
	// SyncOne starts a full sync.
	SyncOne struct {
		Sub      names.Path `json:"sub"` // below the source; "" for all of it
		Checksum bool       `json:"checksum"`
	}
	// VerifyOne starts a comparison with the source.
	VerifyOne struct {
		Sub      names.Path `json:"sub"`
		Checksum bool       `json:"checksum"`
		Repair   bool       `json:"repair"`
	}
	// Nothing is the body of an action that has nothing to choose.
	Nothing struct{}
)

const ofRemote = prefix + "/remotes/{source}/{remote}"

// remoteRoutes are those of one remote or sink.
func (s *door) remoteRoutes() []Route {
	action := func(name, summary string, body any, serve http.HandlerFunc) Route {
		return Route{Method: "POST", Path: ofRemote + "/" + name, Right: RightAct, Summary: summary, Body: body, Answers: jsonOf(affectedDoc{}), serve: serve}
	}
	return []Route{
		{Method: "GET", Path: ofRemote, Right: RightRead, Summary: "The state of one remote or sink.", Answers: jsonOf(status.OneRemote{}, status.OneSink{}),
			serve: s.get(lookLimit, s.oneStatus)},
		{Method: "GET", Path: ofRemote + "/held", Right: RightRead, Summary: "What a guard keeps from a remote.", Answers: jsonOf(Held{}),
			serve: s.get(lookLimit, func(ctx context.Context, r *http.Request) (any, error) {
				name, err := s.named(ctx, r)
				if err != nil {
					return nil, err
				}
				h, err := s.api.Held(ctx, name, heldFirst)
				if h.First == nil {
					h.First = []names.Path{}
				}
				return h, err
			})},
		action("pause", "Stops it; what changes stays journaled.", PauseOne{}, act(s, func(ctx context.Context, name []string, b PauseOne) ([]string, error) {
			if b.ForSeconds < 0 || b.ForSeconds > maxPause.Seconds() {
				return nil, &Error{Code: CodeUsage, Message: fmt.Sprintf("for_seconds: %v is not between 0 and %.0f", b.ForSeconds, maxPause.Seconds())}
			}
			return s.api.Pause(ctx, PauseRequest{Names: name, For: time.Duration(b.ForSeconds * float64(time.Second)), Reason: b.Reason})
		})),
		action("resume", "Ends its pause.", Nothing{}, act(s, func(ctx context.Context, name []string, _ Nothing) ([]string, error) { return s.api.Resume(ctx, name) })),
		action("retry", "Skips its back-offs.", RetryOne{}, act(s, func(ctx context.Context, name []string, b RetryOne) ([]string, error) {
			return s.api.Retry(ctx, RetryRequest{Names: name, Paths: b.Paths})
		})),
		action("full-sync", "Starts a full sync.", SyncOne{}, act(s, func(ctx context.Context, name []string, b SyncOne) (done []string, err error) {
			err = s.api.Sync(ctx, SyncRequest{Names: name, Sub: b.Sub, Checksum: b.Checksum}, func(p SyncProgress) { done = append(done, p.Remote) })
			return done, err
		})),
		action("verify", "Starts a comparison with its source; the status tells how far it is and what it came to.", VerifyOne{},
			act(s, func(ctx context.Context, name []string, b VerifyOne) ([]string, error) {
				return s.api.StartVerify(ctx, VerifyRequest{Names: name, Sub: b.Sub, Checksum: b.Checksum, Repair: b.Repair})
			})),
		action("approve", "Lets through what a guard holds.", Nothing{}, act(s, func(ctx context.Context, name []string, _ Nothing) ([]string, error) { return s.api.Approve(ctx, name) })),
	}
}

// maxPause bounds a pause with an end.
const maxPause = 10 * 365 * 24 * time.Hour

// act serves an action on the remote that the path names; no body is the zero one.
func act[T any](s *door, do func(context.Context, []string, T) ([]string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		if err := readBody(r, &body); err != nil && !errors.Is(err, io.EOF) {
			s.fail(w, err)
			return
		}
		s.one(w, r, actLimit, func(ctx context.Context) (any, error) {
			name, err := s.named(ctx, r)
			if err != nil {
				return nil, err
			}
			return affected(do(ctx, []string{name}, body))
		})
	}
}

// named is the full name in the path of a request. It is one that exists: no
// pattern that would select others.
func (s *door) named(ctx context.Context, r *http.Request) (string, error) {
	all, err := s.api.Names(ctx)
	if err != nil {
		return "", err
	}
	name := r.PathValue("source") + "/" + r.PathValue("remote")
	if !slices.Contains(all, name) {
		return "", &Error{Code: CodeNotFound, Message: fmt.Sprintf("no remote is called %q", name), Hint: Suggest(name, all)}
	}
	return name, nil
}

// oneStatus is the element of the status that the path names.
func (s *door) oneStatus(ctx context.Context, r *http.Request) (any, error) {
	name, err := s.named(ctx, r)
	if err != nil {
		return nil, err
	}
	st, err := s.api.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range st.Remotes {
		if one.Name == name {
			return status.OneRemote{Status: one}, nil
		}
	}
	for _, one := range st.Sinks {
		if one.Name == name {
			return status.OneSink{Status: one}, nil
		}
	}
	return nil, &Error{Code: CodeNotFound, Message: fmt.Sprintf("%s has just been removed", name), Hint: "gorsyncd status"}
}
