package control

import "net/http"

// Monitor is what an API may also be: something that monitoring systems ask. What
// it serves is at the top level, where they look for it.
type Monitor interface {
	Metrics() http.Handler // for Prometheus
	Healthz() http.Handler // 200 or 503: the daemon is alive
	Readyz() http.Handler  // 200 or 503: remotes are near their sources
}

// monitoring adds the routes of an API that is a Monitor.
func (s *Server) monitoring(mux *http.ServeMux) {
	m, ok := s.api.(Monitor)
	if !ok {
		return
	}
	for path, handler := range map[string]http.Handler{"/metrics": m.Metrics(), "/healthz": m.Healthz(), "/readyz": m.Readyz()} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			extendWrite(w, lookLimit+graceWrite)
			handler.ServeHTTP(w, r)
		})
	}
}
