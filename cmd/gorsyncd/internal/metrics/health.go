package metrics

import (
	"encoding/json"
	"net/http"
)

// health is the answer of /healthz. It names nothing: it is for everybody.
type health struct {
	Alive   bool `json:"alive"`
	Hanging int  `json:"hanging_loops"`
	Waiting int  `json:"waiting_for"`
}

// Healthz says whether the daemon is alive: 200 as long as every loop shows signs of
// life, as the watchdog judges that, else 503. It asks no loop, so that it answers
// in any case.
func (m *Metrics) Healthz() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		l := m.o.Loops()
		code := http.StatusOK
		if l.Hanging > 0 {
			code = http.StatusServiceUnavailable
		}
		answer(w, code, health{Alive: l.Hanging == 0, Hanging: l.Hanging, Waiting: len(l.Waiting)})
	})
}

// answer writes one document. A client that is gone does not read an error either.
func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}
