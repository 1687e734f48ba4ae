package control

import (
	"fmt"
	"net/http"
)

// Monitor is what an API may also be: something that monitoring systems ask. What
// it serves is at the top level, where they look for it.
type Monitor interface {
	Metrics() http.Handler // for Prometheus
	Healthz() http.Handler // 200 or 503: the daemon is alive
	Readyz() http.Handler  // 200 or 503: remotes are near their sources
}

// monitoring are the routes of an API that is a Monitor.
func (s *door) monitoring() []Route {
	var metrics, healthz, readyz http.Handler
	if m, ok := s.api.(Monitor); ok {
		metrics, healthz, readyz = m.Metrics(), m.Healthz(), m.Readyz()
	}
	return []Route{
		{Method: "GET", Path: "/metrics", Right: RightRead, Summary: "Metrics for Prometheus.", Answers: []Answer{{Form: "text/plain"}}, serve: s.monitor(metrics)},
		// It names nothing, and load balancers have no token.
		{Method: "GET", Path: "/healthz", Right: RightOpen, Summary: "Whether the daemon is alive: 200, or 503.", Answers: []Answer{{Form: FormJSON}}, serve: s.monitor(healthz)},
		{Method: "GET", Path: "/readyz", Right: RightRead, Summary: "Whether remotes are near their sources: 200, or 503 and who is behind.",
			Query:   []Param{{Name: "max_lag", Type: "string", About: "Such as 60s."}, {Name: "name", Type: "string", About: "A name or glob of remotes; may be repeated."}},
			Answers: []Answer{{Form: FormJSON}}, serve: s.monitor(readyz)},
	}
}

// monitor serves a part of a Monitor.
func (s *door) monitor(h http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if h == nil {
			s.fail(w, &Error{Code: CodeNotFound, Message: fmt.Sprintf("no such endpoint: %s %s", r.Method, r.URL.Path)})
			return
		}
		extendWrite(w, lookLimit+graceWrite)
		h.ServeHTTP(w, r)
	}
}
