package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

// changing is an API whose status a test sets.
type changing struct {
	fake
	mu    sync.Mutex
	now   status.Status
	err   error
	looks int
}

func (c *changing) set(change func(*status.Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := status.New(time.Now(), status.FromDaemon)
	s.Daemon = &status.Daemon{UptimeSeconds: float64(time.Now().Unix())}
	change(&s)
	c.now = s
}

func (c *changing) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *changing) looked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.looks
}

func (c *changing) Status(context.Context) (status.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	s := c.now
	s.Time = time.Now().UTC()
	d := *s.Daemon
	d.UptimeSeconds, d.Goroutines = float64(c.looks), c.looks
	s.Daemon = &d
	return s, c.err
}

func rem(name string, behind uint64) replicate.Status {
	return replicate.Status{Name: name, LagEntries: behind, LagSeconds: float64(behind)}
}

// got is an event as a client has it.
type got struct {
	name string
	doc  struct {
		Remotes, Sinks, Sources, Kept []struct {
			Name string
			Lag  uint64 `json:"lag_entries"`
		}
		Removed []string
		Error   *Error
	}
}

func (g got) remotes() (list []string) {
	for _, r := range g.doc.Remotes {
		list = append(list, r.Name)
	}
	return list
}

func parseEvent(t *testing.T, text []byte) got {
	t.Helper()
	var g got
	for _, line := range strings.Split(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, "event: "); ok {
			g.name = v
		}
		if v, ok := strings.CutPrefix(line, "data: "); ok && g.name != "lag" {
			if err := json.Unmarshal([]byte(v), &g.doc); err != nil {
				t.Fatalf("%v: %s", err, v)
			}
		}
	}
	return g
}

// news are the events that have come, but for lag.
func news(t *testing.T, me *listener) (list []got) {
	t.Helper()
	for {
		select {
		case text, ok := <-me.texts:
			if !ok {
				return append(list, got{name: "dropped"})
			}
			if g := parseEvent(t, text); g.name != "lag" {
				list = append(list, g)
			}
		default:
			return list
		}
	}
}

func kinds(list []got) string {
	var out []string
	for _, g := range list {
		out = append(out, g.name)
	}
	return strings.Join(out, " ")
}

func TestLiveStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &changing{}
		three := func(s *status.Status) {
			s.Remotes = []replicate.Status{rem("a/b", 0), rem("a/c", 0), rem("a/d", 0)}
			s.Sinks = []sink.Status{{Name: "a/hook"}}
		}
		api.set(three)
		l := newLive(api, time.Second)
		defer l.close()
		pass := func() { time.Sleep(time.Second); synctest.Wait() }
		pass()
		if n := api.looked(); n != 0 {
			t.Errorf("%d looks although nobody listens", n)
		}
		one := l.join()
		pass()
		if n := news(t, one); kinds(n) != "status" || len(n[0].doc.Remotes) != 3 {
			t.Fatalf("%+v", n)
		}
		pass()
		if n := news(t, one); len(n) != 0 {
			t.Errorf("nothing has changed but the time: %+v", n)
		}
		two := l.join()
		if n := news(t, two); kinds(n) != "status" {
			t.Errorf("who comes later is given %+v at once", n)
		}
		api.set(func(s *status.Status) { three(s); s.Remotes[1] = rem("a/c", 7) })
		pass()
		for _, me := range []*listener{one, two} {
			n := news(t, me)
			if kinds(n) != "delta" || !slices.Equal(n[0].remotes(), []string{"a/c"}) || n[0].doc.Remotes[0].Lag != 7 || len(n[0].doc.Sinks) != 0 || n[0].doc.Removed == nil {
				t.Errorf("%+v", n)
			}
		}
		api.set(func(s *status.Status) { three(s); s.Remotes = s.Remotes[:1]; s.Sinks = []sink.Status{} })
		pass()
		n := news(t, one)
		if kinds(n) != "delta" || len(n[0].doc.Remotes) != 0 {
			t.Errorf("%+v", n)
		}
		if slices.Sort(n[0].doc.Removed); !slices.Equal(n[0].doc.Removed, []string{"a/c", "a/d", "a/hook"}) {
			t.Errorf("removed %q", n[0].doc.Removed)
		}
		api.set(three) // with new ones, the whole
		pass()
		if n := news(t, one); kinds(n) != "status" {
			t.Errorf("%s", kinds(n))
		}
		api.fail(errors.New("no"))
		pass()
		if n := news(t, one); kinds(n) != "problem" || n[0].doc.Error == nil {
			t.Errorf("%+v", n)
		}
		api.fail(nil)
		// Who reads nothing is dropped; the other goes on.
		for i := range backlog + 3 {
			api.set(func(s *status.Status) { three(s); s.Remotes[0] = rem("a/b", uint64(i+1)) })
			pass()
			if n := news(t, one); kinds(n) != "delta" {
				t.Fatalf("%s", kinds(n))
			}
		}
		if n := news(t, two); kinds(n[len(n)-1:]) != "dropped" {
			t.Errorf("not dropped: %s", kinds(n))
		}
		l.leave(one)
		pass()
		before := api.looked()
		pass()
		pass()
		if api.looked() > before {
			t.Error("it looks on although nobody listens any more")
		}
		again := l.join()
		pass()
		if n := news(t, again); kinds(n) != "status" {
			t.Errorf("%s", kinds(n))
		}
	})
}

// TestLagComesEveryTenSeconds: also when nothing changes.
func TestLagComesEveryTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &changing{}
		api.set(func(s *status.Status) { s.Remotes = []replicate.Status{rem("a/b", 3)} })
		l := newLive(api, time.Second)
		defer l.close()
		me, count := l.join(), 0
		for range 60 {
			time.Sleep(time.Second)
			synctest.Wait()
			for len(me.texts) > 0 {
				if text := string(<-me.texts); strings.Contains(text, "event: lag") {
					count++
					if !strings.Contains(text, `{"remotes":{"a/b":3}}`) {
						t.Errorf("%s", text)
					}
				}
			}
		}
		if count < 6 || count > 7 {
			t.Errorf("%d in a minute", count)
		}
	})
}

// TestLiveStreamEndsWithTheService: and what comes after is refused politely.
func TestLiveStreamEndsWithTheService(t *testing.T) {
	s := NewService(Options{API: &fake{}})
	srv := httptest.NewServer(s.Handler(Limits{Requests: 4, Streams: 1, Body: 1}, nil))
	defer srv.Close()
	resp, err := http.Get(srv.URL + prefix + "/live")
	check(t, err)
	defer resp.Body.Close()
	first, err := bufio.NewReader(resp.Body).ReadString('\n')
	if check(t, err); resp.Header.Get("Content-Type") != FormEvents || !strings.HasPrefix(first, "retry: ") {
		t.Errorf("%v %q", resp.Header, first)
	}
	more, err := http.Get(srv.URL + prefix + "/live")
	check(t, err)
	more.Body.Close()
	if more.StatusCode != http.StatusServiceUnavailable || more.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %s %v", more.Status, more.Header)
	}
	head, err := http.Head(srv.URL + prefix + "/lag")
	check(t, err)
	head.Body.Close()
	check(t, s.Close())
	check(t, s.Close())
	buf := bufio.NewScanner(resp.Body)
	buf.Buffer(nil, 1<<20)
	for buf.Scan() { // until it ends
	}
	check(t, buf.Err())
}

// TestPositionsOfEvents: each id is the position behind its event.
func TestPositionsOfEvents(t *testing.T) {
	var s standing
	for i, step := range []struct {
		line events.Line
		want string
	}{
		{events.Line{Event: events.KindGap, Source: "a", From: 3, Reason: events.GapRebuilt}, ""},
		{events.Line{Event: events.KindPosition, Position: "00ab@a:5,b:1"}, "00ab@a:5,b:1"},
		{events.Line{Event: events.KindEntry, Source: "a", Seq: 7}, "00ab@a:8,b:1"},
		{events.Line{Event: events.KindGap, Source: "b", From: 1, To: 9}, "00ab@a:8,b:10"},
		{events.Line{Event: events.KindEntry, Source: "new", Seq: 1}, "00ab@a:8,b:10,new:2"},
		{events.Line{Event: events.KindPosition, Position: "00ab@a:12,b:10,new:2"}, "00ab@a:12,b:10,new:2"},
	} {
		if got := s.after(step.line); got != step.want {
			t.Errorf("%d: %s, want %s", i, got, step.want)
		}
	}
}

// TestEventsAsServerSent: with ids, from the last one, and a mistake has a status.
func TestEventsAsServerSent(t *testing.T) {
	at := time.Unix(9, 0).UTC()
	f := &fake{events: func(ctx context.Context, line func(events.Line) error) error {
		for _, l := range []events.Line{{Event: events.KindPosition, Position: "ab@a:3"}, {Event: events.KindEntry, Source: "a", Seq: 3, Time: &at}} {
			if err := line(l); err != nil {
				return err
			}
		}
		return errors.New("it broke")
	}}
	s := NewService(Options{API: f})
	defer s.Close()
	ask := func(path, id string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", prefix+path, nil)
		r.Header.Set("Accept", "text/html, text/event-stream;q=0.9")
		if id != "" {
			r.Header.Set("Last-Event-ID", id)
		}
		w := httptest.NewRecorder()
		s.Handler(Limits{Requests: 1, Streams: 1, Body: 1}, nil).ServeHTTP(w, r)
		return w
	}
	w := ask("/events?last=10", "ab@a:3")
	want := "retry: 2000\n\nid: ab@a:3\nevent: position\ndata: {\"event\":\"position\",\"position\":\"ab@a:3\"}\n\n" +
		"id: ab@a:4\nevent: entry\ndata: {\"event\":\"entry\",\"source\":\"a\",\"seq\":3,\"time\":\"1970-01-01T00:00:09Z\"}\n\n" +
		"event: error\ndata: {\"error\":{\"code\":\"internal\",\"message\":\"it broke\"}}\n\n"
	if w.Body.String() != want {
		t.Errorf("%s", w.Body)
	}
	if q := f.eventsRequest; q.From != "ab@a:3" || q.Last != nil || !q.Follow {
		t.Errorf("%+v", q)
	}
	if ask("/events?last=10", ""); f.eventsRequest.From != "" || *f.eventsRequest.Last != 10 {
		t.Errorf("%+v", f.eventsRequest)
	}
	f.events, f.err = nil, &events.RequestError{Flag: "from", Err: errors.New("what")}
	if w := ask("/events?from=x", ""); w.Code != http.StatusBadRequest {
		t.Errorf("a mistake: %d %s", w.Code, w.Body)
	}
}

// TestOneRemote: the name is one, and no pattern.
func TestOneRemote(t *testing.T) {
	f := &fake{}
	s := NewService(Options{API: f})
	defer s.Close()
	h := s.Handler(Limits{Requests: 1, Streams: 1, Body: 1 << 10}, nil)
	ask := func(method, path, body string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, prefix+path, strings.NewReader(body)))
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		method, path, body string
		code               int
		has                string
	}{
		{"GET", "/remotes/a/b", "", 200, `"name":"a/b"`},
		{"GET", "/remotes/a/b/held", "", 200, `"count":20,"first":[{"path":"x"},{"path":"y\\xff","path_b64"`},
		{"POST", "/remotes/a/b/pause", "", 200, `{"affected":["a/b"]}`},
		{"POST", "/remotes/a/b/pause", `{"for_seconds":1.5,"reason":"r"}`, 200, `["a/b"]`},
		{"POST", "/remotes/a/b/pause", `{"for_seconds":-1}`, 400, "for_seconds"},
		{"POST", "/remotes/a/b/pause", `{"for_seconds":1e300}`, 400, "for_seconds"},
		{"POST", "/remotes/a/b/pause", `{"for":5}`, 400, "unknown field"},
		{"POST", "/remotes/a/b/pause", `{`, 400, "cannot be read"},
		{"POST", "/remotes/a/b/retry", `{"paths":[{"path":"/x"}]}`, 200, `["a/b"]`},
		{"POST", "/remotes/a/b/full-sync", `{"checksum":true}`, 200, `["a/b"]`},
		{"POST", "/remotes/a/b/verify", `{"repair":true}`, 200, `["a/b"]`},
		{"POST", "/remotes/a/b/resume", `{}`, 200, `["a/b"]`},
		{"POST", "/remotes/a/b/approve", "", 200, "affected"},
		{"POST", "/remotes/a/*/pause", "", 404, "no remote is called"},
		{"POST", "/remotes/*/*/approve", "", 404, "no remote is called"},
		{"POST", "/remotes/a/x/resume", "", 404, "did you mean"},
		{"GET", "/remotes/a/[ab]", "", 404, "no remote"},
		{"DELETE", "/remotes/a/b", "", 405, "use GET"},
		{"GET", "/entries?state=queued&remote=a/*&remote=x&contains=y&limit=3&after=z", "", 200, `"next":"more","total":7`},
		{"GET", "/entries?state=acked", "", 400, "known are"},
		{"GET", "/entries?limit=0", "", 400, "limit"},
		{"GET", "/lag", "", 200, `{"every_seconds":10,"now":"2027-01-15T08:00:00Z","remotes":{"a/b":[null,1.5]}}`},
	} {
		if code, text := ask(c.method, c.path, c.body); code != c.code || !strings.Contains(text, c.has) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, code, text)
		}
	}
	if q := f.entries; q.State != "queued" || !slices.Equal(q.Remotes, []string{"a/*", "x"}) || q.Contains != "y" || q.Limit != 3 || q.After != "z" {
		t.Errorf("%+v", q)
	}
	if f.pause.For != 1500*time.Millisecond || f.pause.Reason != "r" || !f.sync.Checksum || !f.started.Repair || len(f.retry.Paths) != 1 {
		t.Errorf("%+v %+v %+v %+v", f.pause, f.sync, f.started, f.retry)
	}
}
