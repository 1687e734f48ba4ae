package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

const token = "0123456789abcdef0123456789abcdef"

// long makes an answer too large for the buffers of a connection, after a few.
var long = strings.Repeat("x", 100_000)

// fakeAPI has one remote, and counts what it is told to do. What it has no method
// for must not be reached.
type fakeAPI struct {
	control.API
	acts  atomic.Int64 // things it was told to do
	looks atomic.Int64 // times that its status was asked
}

func (f *fakeAPI) Status(context.Context) (status.Status, error) {
	f.looks.Add(1)
	s := status.New(time.Unix(1_800_000_000, 0), status.FromDaemon)
	s.Note = long
	s.Remotes = append(s.Remotes, replicate.Status{Name: "a/b", Source: "a", Remote: "b", State: replicate.StateInSync, Target: "<script>alert(1)</script>"})
	return s, nil
}

func (f *fakeAPI) Names(context.Context) ([]string, error) { return []string{"a/b"}, nil }

func (f *fakeAPI) Lag(context.Context) (control.LagSeries, error) {
	return control.LagSeries{Every: 10, Remotes: map[string][]*float64{}}, nil
}

func (f *fakeAPI) Explain(_ context.Context, path string) (control.Explanation, error) {
	return control.Explanation{}, &control.Error{Code: control.CodeNotFound, Message: fmt.Sprintf("%q is in no source", path)}
}

func (f *fakeAPI) ConfigShow(context.Context) (string, error) {
	return "url: https://hooks.example.com/services/secret?token=secret # g.yaml:3\n", nil
}

func (f *fakeAPI) Entries(context.Context, control.EntriesQuery) (control.EntriesPage, error) {
	return control.EntriesPage{}, nil
}

func (f *fakeAPI) Held(context.Context, string, int) (control.Held, error) {
	return control.Held{}, nil
}

func (f *fakeAPI) Events(ctx context.Context, q events.Request, line func(events.Line) error) error {
	if err := line(events.Line{Event: events.KindPosition, Position: "ab@a:1"}); err != nil || !q.Follow {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fakeAPI) Pause(_ context.Context, r control.PauseRequest) ([]string, error) {
	f.acts.Add(1)
	return r.Names, nil
}

func (f *fakeAPI) Resume(_ context.Context, names []string) ([]string, error) {
	f.acts.Add(1)
	return names, nil
}

func (f *fakeAPI) Approve(_ context.Context, names []string) ([]string, error) {
	f.acts.Add(1)
	return names, nil
}

func (f *fakeAPI) Retry(_ context.Context, r control.RetryRequest) ([]string, error) {
	f.acts.Add(1)
	return r.Names, nil
}

func (f *fakeAPI) Reload(_ context.Context, r control.ReloadRequest) (control.ReloadResult, error) {
	f.acts.Add(1)
	return control.ReloadResult{}, nil
}

// rig is a server that runs until the test ends.
type rig struct {
	t    *testing.T
	api  *fakeAPI
	web  *Server
	addr string
	stop func()
}

func tokenFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start serves on loopback, with a token unless change takes it away.
func start(t *testing.T, change func(*config.HTTP)) *rig {
	t.Helper()
	c := config.HTTP{Listen: "127.0.0.1:0", TokenFile: tokenFile(t, token), AnonymousRead: true, MaxClients: 20}
	if change != nil {
		change(&c)
	}
	r := &rig{t: t, api: &fakeAPI{}}
	service := control.NewService(control.Options{API: r.api})
	r.web = New(Options{Service: service, Config: c})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.web.Run(ctx) }()
	var once atomic.Bool
	r.stop = func() {
		if once.Swap(true) {
			return
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		service.Close()
	}
	t.Cleanup(r.stop)
	r.addr = r.until(status.HTTPListening).Address
	return r
}

// until waits for a state of the server.
func (r *rig) until(state string) *status.HTTP {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if st := r.web.Status(); st != nil && st.State == state {
			return st
		} else if time.Now().After(end) {
			r.t.Fatalf("not %s: %+v", state, st)
		}
	}
}

// answer is what a request got.
type answer struct {
	code   int
	header http.Header
	body   string
}

func (a answer) errorCode() string {
	var doc control.ErrorDocument
	if json.Unmarshal([]byte(a.body), &doc) != nil || doc.Error == nil {
		return ""
	}
	return string(doc.Error.Code)
}

// raw sends bytes as they are and reads one answer.
func (r *rig) raw(text string) (answer, error) {
	conn, err := net.DialTimeout("tcp", r.addr, 5*time.Second)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		return answer{}, err
	}
	return readAnswer(conn)
}

func readAnswer(conn net.Conn) (answer, error) {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{}, err
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return answer{resp.StatusCode, resp.Header, ""}, nil // to close it would read to its end
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // of HEAD
	}
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

// ask makes a request with headers in pairs.
func (r *rig) ask(method, path, body string, headers ...string) answer {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+r.addr+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return answer{resp.StatusCode, resp.Header, ""}
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// sound tells whether it still serves, and whether nothing got through.
func (r *rig) sound(acts int64) {
	r.t.Helper()
	if got := r.api.acts.Load(); got != acts {
		r.t.Errorf("%d things were done, want %d", got, acts)
	}
	if a := r.ask("GET", "/api/v1/status", ""); a.code != http.StatusOK {
		r.t.Errorf("afterwards: %d %s", a.code, a.body)
	}
	if a := r.ask("POST", "/api/v1/remotes/a/b/pause", "", "Authorization", "Bearer "+token); a.code != http.StatusOK {
		r.t.Errorf("an action afterwards: %d %s", a.code, a.body)
	}
	if got := r.api.acts.Load(); got != acts+1 {
		r.t.Errorf("%d things were done after that, want %d", got, acts+1)
	}
}
