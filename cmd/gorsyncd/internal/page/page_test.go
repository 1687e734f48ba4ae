package page

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

var now = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

const hostile = "<img src=x onerror=alert(1)>\x1b[2J\n\xff"

func remote(name string, st replicate.State) replicate.Status {
	source, short, _ := strings.Cut(name, "/")
	return replicate.Status{Name: name, Source: source, Remote: short, Target: "h::" + short, State: st}
}

func withRemotes(states ...replicate.State) status.Status {
	s := status.New(now, status.FromDaemon)
	s.Daemon = &status.Daemon{Version: "1.0.0"}
	s.Sources = []status.Source{{Name: "s", Status: watch.Status{State: watch.StateWatching, Root: "/data"}}}
	for _, st := range states {
		s.Remotes = append(s.Remotes, remote("s/"+string(st), st))
	}
	return s
}

func get(t *testing.T, o Options, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	New(o).ServeHTTP(w, r)
	return w
}

func always(s status.Status) func(context.Context) (status.Status, error) {
	return func(context.Context) (status.Status, error) { return s, nil }
}

func TestFirstPaintNeedsNoScript(t *testing.T) {
	s := withRemotes(replicate.StateInSync, replicate.StateRetrying)
	next := now.Add(250 * time.Second)
	s.Remotes[1].Error = &replicate.StatusError{ID: "E-CONNECT", Message: "refused", Hint: "is it up?", Path: hostile, Attempts: 19, NextRetry: &next}
	p, at := names.NewPath(hostile), now
	lag := 7980.0
	o := Options{Status: always(s), Lag: func() map[string][]*float64 { return map[string][]*float64{"s/retrying": {&lag}} },
		Entries: func(context.Context, control.EntriesQuery) (control.EntriesPage, error) {
			return control.EntriesPage{Entries: []control.EntryOf{{Remote: "s/retrying", Source: "s", Path: p, ErrorID: "E-DEST-PERM", Attempts: 6}}}, nil
		},
		Events: func(_ context.Context, _ events.Request, line func(events.Line) error) error {
			return line(events.Line{Event: events.KindEntry, Source: "s", Seq: 12345, Op: "change", Path: &p, Time: &at})
		},
	}
	w := get(t, o, "/")
	body := w.Body.String()
	for _, want := range []string{
		"1 of 2 not in sync: s/retrying is retrying", "attempt 19", "in 4m10s", "is it up?", `href="errors#E-CONNECT"`, "worst lag of the last 60 minutes: 2h13m",
		"#12\u202f345", `&lt;img src=x onerror=alert(1)&gt;\x1b[2J\n\xff`, `path_b64=`, "2026-11-22 08:00:00 UTC", "actions need a token",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing", want)
		}
	}
	// Browsers without styles show what is hidden, and what only scripts use.
	for _, bad := range []string{"<template", "<dialog", "data-act=", ">sink<", ">Nothing needs you", "Approve"} {
		if strings.Contains(body, bad) {
			t.Errorf("%q is there", bad)
		}
	}
	if w.Code != http.StatusOK || strings.Contains(body, "\x1b") || strings.Contains(body, "<img") {
		t.Errorf("status %d, or a raw name:\n%s", w.Code, body)
	}
}

// TestNothingInline: the policy allows no inline script and no inline style.
func TestNothingInline(t *testing.T) {
	s := withRemotes(replicate.StateHeld)
	for _, target := range []string{"/", "/errors", "/explain?path=/x", "/assets/x/parts/en"} {
		body := get(t, Options{Status: always(s)}, target).Body.String()
		for _, bad := range []string{`<script>`, `(?i)\son[a-z]+=`, `\sstyle=`, `<style`, `(?i)javascript:`, `(src|href)="(https?:)?//`} {
			if m := regexp.MustCompile(bad).FindString(body); m != "" {
				t.Errorf("%s has %q", target, m)
			}
		}
	}
}

func TestLanguage(t *testing.T) {
	o := Options{Status: always(withRemotes(replicate.StateInSync))}
	for _, c := range []struct {
		target, accept, cookie, want string
	}{
		{"/", "", "", "en"}, {"/", "zh-CN,zh;q=0.9,en;q=0.8", "", "zh"}, {"/", "en;q=0.5,zh;q=0.7", "", "zh"}, {"/", "de,en;q=0.1", "", "en"},
		{"/", "zh", "en", "en"}, {"/?lang=zh", "en", "en", "zh"}, {"/?lang=xx", "zh", "", "zh"}, {"/", "zh;q=0", "", "en"}, {"/", "zh;q=x,,;", "", "zh"},
	} {
		header := []string{"Accept-Language", c.accept}
		if c.cookie != "" {
			header = append(header, "Cookie", langCookie+"="+c.cookie)
		}
		w := get(t, o, c.target, header...)
		if !strings.Contains(w.Body.String(), `data-lang="`+c.want+`"`) {
			t.Errorf("%+v: not in it", c)
		}
		if chosen := strings.Contains(c.target, "lang=zh"); chosen != (w.Header().Get("Set-Cookie") != "") {
			t.Errorf("%+v: cookie %q", c, w.Header().Get("Set-Cookie"))
		}
	}
}

func TestAccess(t *testing.T) {
	with := func(a Access) *httptest.ResponseRecorder {
		return get(t, Options{Status: always(withRemotes(replicate.StateHeld)), Access: func(*http.Request) Access { return a }}, "/")
	}
	for _, c := range []struct {
		a         Access
		has, lack string
	}{
		{Access{}, "set http.token_file", `action="login"`},
		{Access{CanLogIn: true}, "log in to act", `action="logout"`},
		{Access{MayAct: true, CanLogIn: true, LoggedIn: true}, `action="logout"`, `action="login"`},
		{Access{MayAct: true}, "data-may-act", "Logged in"},
	} {
		if b := with(c.a).Body.String(); !strings.Contains(b, c.has) || strings.Contains(b, c.lack) {
			t.Errorf("%+v: %q missing, or %q there", c.a, c.has, c.lack)
		}
	}
	w := with(Access{CanLogIn: true, MustLogIn: true})
	if b := w.Body.String(); w.Code != http.StatusUnauthorized || strings.Contains(b, "s/held") || !strings.Contains(b, `name="token"`) {
		t.Errorf("%d: something is shown before the log-in:\n%s", w.Code, b)
	}
}

func TestNoStatus(t *testing.T) {
	w := get(t, Options{Status: func(context.Context) (status.Status, error) { return status.Status{}, errors.New("too <slow>") }}, "/")
	if b := w.Body.String(); w.Code != http.StatusServiceUnavailable || !strings.Contains(b, "too &lt;slow&gt;") || strings.Contains(b, "in sync") {
		t.Errorf("%d:\n%s", w.Code, b)
	}
}

func TestAssets(t *testing.T) {
	o := Options{Status: always(withRemotes())}
	h := New(o)
	body := get(t, o, "/").Body.String()
	found := regexp.MustCompile(`assets/[^"]+`).FindAllString(body, -1)
	if len(found) != 3 {
		t.Fatalf("%q", found)
	}
	for _, a := range append(found, "assets/"+h.build+"/lang/zh.json", "assets/"+h.build+"/view.js", "assets/"+h.build+"/parts/zh") {
		w := get(t, o, "/"+a)
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", a, w.Code, w.Header())
		}
	}
	if w := get(t, o, "/assets/old/main.js"); w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("of another build: %d %v", w.Code, w.Header())
	}
	for _, a := range []string{"/assets/x/../page.html", "/assets/x/page.html", "/assets/x/%2e%2e/page.go", "/assets/x/", "/assets/", "/nothing", "/assets/x/lang", "/assets/x/parts/xx", "/assets/x/parts/"} {
		if w := get(t, o, a); w.Code == http.StatusOK {
			t.Errorf("%s is served", a)
		}
	}
	r := httptest.NewRequest("POST", "/", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /: %d", w.Code)
	}
}

func TestErrorGuide(t *testing.T) {
	body := get(t, Options{}, "/errors", "Accept-Language", "zh").Body.String()
	for _, want := range []string{`<section id="E-AUTH">`, "<code>password_file</code>", "<b>Remedy.</b>", "拒绝了用户名或密码", `<section id="E-SINK">`} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(body, "**") || strings.Contains(body, "```") {
		t.Error("there is markup of the guide that is not understood")
	}
}

func TestExplain(t *testing.T) {
	asked := ""
	o := Options{Explain: func(_ context.Context, path string) (control.Explanation, error) {
		asked = path
		if path == "/elsewhere" {
			return control.Explanation{}, &control.Error{Code: control.CodeNotFound, Message: "no source has it"}
		}
		return control.Explanation{Path: names.NewPath(path), Source: "s", Remotes: []control.RemotePath{{Remote: "s/nas", State: "acked"}}}, nil
	}}
	w := get(t, o, "/explain?as=text&path=x&path_b64=L2EK/w==")
	if w.Code != 200 || asked != "/a\n\xff" || !strings.Contains(w.Body.String(), `/a\n\xff`) || !strings.Contains(w.Body.String(), "s/nas  delivered") {
		t.Errorf("%d, %q, %s", w.Code, asked, w.Body)
	}
	if w := get(t, o, "/explain?path=/elsewhere"); w.Code != 404 || !strings.Contains(w.Body.String(), "no source has it") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(t, o, "/explain?as=text&path_b64=%21"); w.Code != 400 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestManyRemotes: a source shows a number of them, and all that need somebody.
func TestManyRemotes(t *testing.T) {
	s := withRemotes()
	for i := range 500 {
		r := remote("s/"+string(rune('a'+i%26))+strings.Repeat("x", i/26), replicate.StateInSync)
		if i == 444 {
			r.State = replicate.StateFailing
			r.Error = &replicate.StatusError{ID: "E-AUTH"}
		}
		s.Remotes = append(s.Remotes, r)
	}
	v := NewView(s, "en", "")
	g := v.Groups[0]
	if len(g.Rows) != rowLimit+1 || g.Rows[rowLimit].State != "failing" || g.Hidden != "479 more" || g.All != "?all=s" || len(v.Problems) != 1 {
		t.Errorf("%d rows, hidden %q, all %q, %d problems", len(g.Rows), g.Hidden, g.All, len(v.Problems))
	}
	for _, all := range []string{"s", "*"} {
		if g := NewView(s, "en", all).Groups[0]; len(g.Rows) != 500 || g.Hidden != "" {
			t.Errorf("all of %q: %d rows, hidden %q", all, len(g.Rows), g.Hidden)
		}
	}
	for i := range s.Remotes {
		s.Remotes[i].State, s.Remotes[i].Error = replicate.StateRetrying, &replicate.StatusError{ID: "E-CONNECT"}
	}
	if v := NewView(s, "en", ""); len(v.Problems) != cardLimit || v.Unshown == "" || len(v.Groups[0].Rows) != 500 {
		t.Errorf("%d problems, unshown %q, %d rows", len(v.Problems), v.Unshown, len(v.Groups[0].Rows))
	}
	if got := allOf("a b&c(d)"); got != "?all=a%20b%26c%28d%29" {
		t.Error(got)
	}
}

// TestListsAreNeverNull: the browser walks through all of them.
func TestListsAreNeverNull(t *testing.T) {
	b, err := json.Marshal(NewView(status.New(now, status.FromDaemon), "en", ""))
	if err != nil || strings.Contains(string(b), "null") {
		t.Errorf("%v %s", err, b)
	}
}

func TestProblemsInOrder(t *testing.T) {
	s := withRemotes(replicate.StateRetrying, replicate.StatePaused, replicate.StateFailing, replicate.StateHeld, replicate.StateInSync)
	e := &replicate.StatusError{ID: "E-AUTH", Message: "no"}
	s.Remotes[0].Error, s.Remotes[1].Error, s.Remotes[2].Error = e, e, e
	s.Remotes[3].Held = &replicate.HeldStatus{Reason: "G-MAXDELETE would delete 5 files", Since: now}
	s.Sources = append(s.Sources, status.Source{Name: "gone", Status: watch.Status{State: watch.StateHeld, Held: "its root is empty"}},
		status.Source{Name: "unwatched", Status: watch.Status{State: watch.StateHeld, Held: "no inotify instance: too many open files", Hints: []string{"raise it"}}})
	s.Journal.Waiting = "no space"
	var got []string
	for _, p := range NewView(s, "en", "").Problems {
		got = append(got, p.Key)
		if p.Key == "remote s/held" && (p.ID != "G-MAXDELETE" || p.Message != "would delete 5 files" || !p.Approve || !p.Looks || p.Retry) {
			t.Errorf("%+v", p)
		}
		if p.Key == "source unwatched" && (p.Approve || p.Hint != "raise it") {
			t.Errorf("%+v", p)
		}
		if p.Key == "source gone" && (p.Target != "gone/*" || !p.Approve || p.Looks) {
			t.Errorf("%+v", p)
		}
	}
	if want := []string{"journal", "source gone", "source unwatched", "remote s/failing", "remote s/held", "remote s/retrying"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
