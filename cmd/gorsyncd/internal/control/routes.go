package control

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gorsyncd/journal"
)

const prefix = "/api/v1"

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	get(s, mux, "GET /status", lookLimit, func(ctx context.Context, _ *http.Request) (any, error) {
		return s.api.Status(ctx)
	})
	get(s, mux, "GET /explain", lookLimit, func(ctx context.Context, r *http.Request) (any, error) {
		p, err := pathParam(r)
		if err != nil {
			return nil, err
		}
		return s.api.Explain(ctx, p)
	})
	get(s, mux, "GET /config", lookLimit, func(ctx context.Context, _ *http.Request) (any, error) {
		text, err := s.api.ConfigShow(ctx)
		return configDoc{text}, err
	})
	get(s, mux, "GET /journal/stats", actLimit, func(ctx context.Context, _ *http.Request) (any, error) {
		st, err := s.api.JournalStats(ctx)
		return NewJournalStats(st), err
	})
	get(s, mux, "POST /journal/check", longLimit, func(ctx context.Context, _ *http.Request) (any, error) {
		rep, err := s.api.JournalCheck(ctx)
		return NewJournalReport(rep), err
	})
	get(s, mux, "POST /journal/compact", longLimit, func(ctx context.Context, _ *http.Request) (any, error) {
		return s.api.JournalCompact(ctx)
	})
	post(s, mux, "POST /report", func(ctx context.Context, r ReportRequest) (any, error) {
		return s.api.Report(ctx, r)
	})
	post(s, mux, "POST /retry", func(ctx context.Context, r RetryRequest) (any, error) {
		return affected(s.api.Retry(ctx, r))
	})
	post(s, mux, "POST /pause", func(ctx context.Context, r PauseRequest) (any, error) {
		if err := needNames(r.Names); err != nil {
			return nil, err
		}
		return affected(s.api.Pause(ctx, r))
	})
	post(s, mux, "POST /resume", func(ctx context.Context, r namesRequest) (any, error) {
		if err := needNames(r.Names); err != nil {
			return nil, err
		}
		return affected(s.api.Resume(ctx, r.Names))
	})
	post(s, mux, "POST /approve", func(ctx context.Context, r namesRequest) (any, error) {
		if err := needNames(r.Names); err != nil {
			return nil, err
		}
		return affected(s.api.Approve(ctx, r.Names))
	})
	postWithin(s, mux, "POST /reload", reloadLimit, func(ctx context.Context, r ReloadRequest) (any, error) {
		res, err := s.api.Reload(ctx, r)
		if res.Changes == nil {
			res.Changes = []Change{}
		}
		return res, err
	})
	s.streams(mux)
	s.monitoring(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, &Error{Code: CodeNotFound, Message: fmt.Sprintf("no such endpoint: %s %s", r.Method, r.URL.Path),
			Hint: "the daemon may be older than this command: restart it"})
	})
	return mux
}

type (
	configDoc struct {
		Config string `json:"config"`
	}
	namesRequest struct {
		Names []string `json:"names"`
	}
	affectedDoc struct {
		Affected []string `json:"affected"`
	}
)

func affected(names []string, err error) (any, error) { return affectedDoc{nonNil(names)}, err }

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// needNames keeps an empty list from meaning "all" where that is drastic.
func needNames(names []string) error {
	if len(names) == 0 {
		return &Error{Code: CodeUsage, Message: "no remote is named", Hint: "name one, or '*/*' for all"}
	}
	return nil
}

// get registers a handler without a body.
func get(s *Server, mux *http.ServeMux, pattern string, limit time.Duration, do func(context.Context, *http.Request) (any, error)) {
	mux.HandleFunc(route(pattern), func(w http.ResponseWriter, r *http.Request) {
		s.one(w, r, limit, func(ctx context.Context) (any, error) { return do(ctx, r) })
	})
}

// one answers a request, whose body has been read, with one document.
func (s *Server) one(w http.ResponseWriter, r *http.Request, limit time.Duration, do func(context.Context) (any, error)) {
	extendWrite(w, limit+graceWrite)
	ctx, cancel := context.WithTimeoutCause(r.Context(), limit, tooSlow(limit))
	defer cancel()
	v, err := do(ctx)
	if err != nil {
		s.fail(w, cause(ctx, err))
		return
	}
	s.reply(w, v)
}

// post registers a handler whose body is one JSON document.
func post[T any](s *Server, mux *http.ServeMux, pattern string, do func(context.Context, T) (any, error)) {
	postWithin(s, mux, pattern, actLimit, do)
}

func postWithin[T any](s *Server, mux *http.ServeMux, pattern string, limit time.Duration, do func(context.Context, T) (any, error)) {
	mux.HandleFunc(route(pattern), func(w http.ResponseWriter, r *http.Request) {
		var body T
		if err := readBody(r, &body); err != nil {
			s.fail(w, err)
			return
		}
		s.one(w, r, limit, func(ctx context.Context) (any, error) { return do(ctx, body) })
	})
}

func route(pattern string) string {
	for i := range len(pattern) {
		if pattern[i] == '/' {
			return pattern[:i] + prefix + pattern[i:]
		}
	}
	return pattern
}

func readBody(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &Error{Code: CodeUsage, Message: fmt.Sprintf("the request cannot be read: %v", err), Err: err}
	}
	return nil
}

func tooSlow(limit time.Duration) error {
	return &Error{Code: CodeBusy, Message: fmt.Sprintf("the daemon did not finish this within %s", limit), Hint: "it may be busy: try again"}
}

// cause replaces a bare deadline error by what the deadline stands for.
func cause(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		var known *Error
		if !errors.As(err, &known) {
			return context.Cause(ctx)
		}
	}
	return err
}

func pathParam(r *http.Request) (string, error) {
	q := r.URL.Query()
	p := q.Get("path")
	if b64 := q.Get("path_b64"); b64 != "" {
		raw, err := base64.StdEncoding.DecodeString(b64)
		if err != nil {
			return "", &Error{Code: CodeUsage, Message: "path_b64 is not base64", Err: err}
		}
		p = string(raw)
	}
	return p, nil
}

// queryParams reads what inspect looks for.
func queryParams(r *http.Request) (journal.Query, error) {
	v := r.URL.Query()
	p, err := pathParam(r)
	if err != nil {
		return journal.Query{}, err
	}
	q := journal.Query{Source: v.Get("source"), Remote: v.Get("remote"), Path: p, State: v.Get("state")}
	for key, into := range map[string]*uint64{"from": &q.From, "to": &q.To} {
		text := v.Get(key)
		if text == "" {
			continue
		}
		if *into, err = strconv.ParseUint(text, 10, 64); err != nil {
			return q, &Error{Code: CodeUsage, Message: fmt.Sprintf("%s is not a seq: %q", key, text), Err: err}
		}
	}
	switch q.State {
	case "", "queued", "failing", "acked":
		return q, nil
	}
	return q, &Error{Code: CodeUsage, Message: fmt.Sprintf("unknown state %q", q.State), Hint: "known are queued, failing, acked"}
}
