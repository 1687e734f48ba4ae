package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/page"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if chrome.end != nil {
		chrome.end()
	}
	os.Exit(code)
}

// policy is what package web sends with every answer.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// stage serves the page and the real API on top of fixed documents.
type stage struct {
	*httptest.Server
	control.API // what is not overridden is not asked for

	mu      sync.Mutex
	status  status.Status
	lag     map[string][]*float64
	entries []control.EntryOf
	lines   []events.Line
	held    control.Held
	access  page.Access
	asked   []string // actions
	deaf    bool     // the API cannot be reached
}

func newStage(t *testing.T, s status.Status) *stage {
	t.Helper()
	st := &stage{status: s, access: page.Access{MayAct: true, LoggedIn: true, CanLogIn: true}}
	api := control.NewService(control.Options{API: st})
	mux := http.NewServeMux()
	mux.Handle("/api/v1/", api.Handler(control.Limits{Requests: 64, Streams: 32, Body: 1 << 20}, nil))
	mux.Handle("/", page.New(page.Options{
		Status: st.Status, Entries: st.Entries, Events: st.Events, Explain: st.Explain,
		Lag:    func() map[string][]*float64 { st.mu.Lock(); defer st.mu.Unlock(); return st.lag },
		Access: func(*http.Request) page.Access { st.mu.Lock(); defer st.mu.Unlock(); return st.access },
	}))
	st.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		st.mu.Lock()
		deaf := st.deaf
		st.mu.Unlock()
		if deaf && strings.HasPrefix(r.URL.Path, "/api/") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		st.CloseClientConnections()
		_ = api.Close()
		st.Close()
	})
	return st
}

func (st *stage) set(change func(*status.Status)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	change(&st.status)
}

func (st *stage) Status(context.Context) (status.Status, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.status, nil
}

func (st *stage) Names(context.Context) ([]string, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	var names []string
	for _, r := range st.status.Remotes {
		names = append(names, r.Name)
	}
	return names, nil
}

func (st *stage) Lag(context.Context) (control.LagSeries, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return control.LagSeries{Every: 10, Now: st.status.Time, Remotes: st.lag}, nil
}

func (st *stage) Entries(_ context.Context, q control.EntriesQuery) (control.EntriesPage, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	var all []control.EntryOf
	for _, e := range st.entries {
		if strings.Contains(e.Text, q.Contains) {
			all = append(all, e)
		}
	}
	n := uint64(len(all))
	page := control.EntriesPage{Total: &n}
	from, _ := strconv.Atoi(q.After) // the first page has none
	to := min(len(all), from+q.Limit)
	page.Entries = all[from:to]
	if to < len(all) {
		page.Next = strconv.Itoa(to)
	}
	return page, nil
}

func (st *stage) Events(ctx context.Context, r events.Request, line func(events.Line) error) error {
	st.mu.Lock()
	lines := st.lines
	st.mu.Unlock()
	for _, l := range lines {
		if err := line(l); err != nil {
			return err
		}
	}
	if r.Follow {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (st *stage) Held(context.Context, string, int) (control.Held, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.held, nil
}

func (st *stage) Pause(_ context.Context, r control.PauseRequest) ([]string, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.asked = append(st.asked, "pause "+r.Names[0])
	return r.Names, nil
}

func (st *stage) Approve(_ context.Context, names []string) ([]string, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.asked = append(st.asked, "approve "+names[0])
	return names, nil
}

func (st *stage) actions() []string {
	st.mu.Lock()
	defer st.mu.Unlock()
	return append([]string(nil), st.asked...)
}

func (st *stage) Explain(_ context.Context, path string) (control.Explanation, error) {
	return control.Explanation{Path: names.NewPath(path), Source: "bbs", Exists: true, Type: "file", SizeBytes: 1234, Watched: true,
		Remotes: []control.RemotePath{{Remote: "bbs/web2", State: "failing", ErrorID: "E-DEST-PERM", Message: "mkstemp: Permission denied (13)", Attempts: 6}}}, nil
}
