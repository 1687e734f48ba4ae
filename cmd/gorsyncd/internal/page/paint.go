package page

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
)

// paint is what the template is filled with.
type paint struct {
	View
	texts  texts
	Lang   string // as in the cookie
	Tag    string // of the html element
	Other  string // the other language
	All    string
	Build  string
	Access Access
	Now    int64
	Fail   string // why there is no status
	Host   string // the machine

	Version string

	Lags    map[string]Spark
	Failing []Entry
	Events  []Event
	Asked   string // path to explain
	Answer  string
}

func (h *Handler) paint(w http.ResponseWriter, r *http.Request) *paint {
	lang, chosen := chooseLang(r)
	if chosen {
		http.SetCookie(w, &http.Cookie{Name: langCookie, Value: lang, Path: "/", MaxAge: 365 * 86400, SameSite: http.SameSiteLaxMode, HttpOnly: true, Secure: r.TLS != nil})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Accept-Language, Cookie")
	p := &paint{texts: textsOf()[lang], Lang: lang, Tag: lang, Other: "zh", Build: h.build, Host: h.host, Version: h.o.Version, Now: h.o.Now().UnixMilli(), All: r.URL.Query().Get("all")}
	if lang == "zh" {
		p.Tag, p.Other = "zh-CN", "en"
	}
	if h.o.Access != nil {
		p.Access = h.o.Access(r)
	}
	return p
}

func (h *Handler) page(w http.ResponseWriter, r *http.Request) {
	p := h.paint(w, r)
	if p.Access.MustLogIn {
		h.render(w, http.StatusUnauthorized, "login", p)
		return
	}
	s, err := h.o.Status(r.Context())
	if err != nil {
		p.Fail = p.texts.say("unavailable", "why", err.Error())
		p.View = NewView(status.New(h.o.Now(), status.FromDaemon), p.Lang, "")
		p.Verdict = VerdictView{Level: levelBad, Icon: "i-bad", Text: p.Fail}
		h.render(w, http.StatusServiceUnavailable, "page", p)
		return
	}
	p.Now = s.Time.UnixMilli()
	p.View = NewView(s, p.Lang, p.All)
	if h.o.Lag != nil {
		p.Lags = sparks(p.texts, h.o.Lag())
	}
	h.lists(r.Context(), p, s)
	h.render(w, http.StatusOK, "page", p)
}

const (
	firstEntries = 20
	firstEvents  = 100
)

// lists fills in what is not part of the status. A part that cannot be had now is
// left to the browser.
func (h *Handler) lists(ctx context.Context, p *paint, s status.Status) {
	if h.o.Entries != nil {
		if got, err := h.o.Entries(ctx, control.EntriesQuery{State: journal.StateFailing, Limit: firstEntries}); err == nil {
			p.Failing = entriesOf(got.Entries, rootsOf(s))
		}
	}
	if h.o.Events != nil {
		n := firstEvents
		var lines []events.Line
		err := h.o.Events(ctx, events.Request{Last: &n}, func(l events.Line) error {
			lines = append(lines, l)
			return nil
		})
		if err == nil {
			p.Events = eventsOf(p.texts, lines)
		}
	}
}

// Say, Ago and Until are for the template.
func (p *paint) Say(key string, pairs ...any) string { return p.texts.say(key, pairs...) }

// Known is Say for a key that may not exist.
func (p *paint) Known(key string) string { return p.texts.known(key) }

// Ago is how long before the time of the status a moment was.
func (p *paint) Ago(ms int64) string { return p.texts.ago(p.Now, ms) }

// For is how long before the time of the status a moment was, without the word.
func (p *paint) For(ms int64) string {
	if ms == 0 {
		return ""
	}
	return p.texts.duration(time.Duration(p.Now-ms) * time.Millisecond)
}

// Until is how long after the time of the status a moment will be.
func (p *paint) Until(ms int64) string { return p.texts.until(p.Now, ms) }

// Clock is a moment in UTC, as it stands until the browser knows better.
func (p *paint) Clock(ms int64) string {
	if ms == 0 {
		return none
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 UTC")
}

// RFC is a moment for the datetime attribute.
func (p *paint) RFC(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

// Blank is With for the markup that scripts fill in: whatever could be there is.
func (p *paint) Blank(v any) part { return part{paint: p, V: v, Whole: true} }

// With pairs an element of the view with the page, for the template of the element.
func (p *paint) With(v any) part { return part{paint: p, V: v} }

type part struct {
	*paint
	V     any
	Whole bool // also what is hidden: readers without scripts and styles would see it
}

// Spark is the curve of the row of a remote.
func (p *paint) Spark(name string) Spark {
	if s, ok := p.Lags[name]; ok {
		return s
	}
	return Spark{Title: p.texts.say("spark.nothing")}
}

var page = sync.OnceValue(func() *template.Template { return template.Must(template.New("page.html").ParseFS(files, "page.html")) })

func (h *Handler) render(w http.ResponseWriter, code int, name string, v any) {
	var b bytes.Buffer
	if err := page().ExecuteTemplate(&b, name, v); err != nil {
		http.Error(w, fmt.Sprintf("the page cannot be made: %v", err), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes())
}

func rootsOf(s status.Status) map[string]string {
	roots := map[string]string{}
	for i := range s.Sources {
		roots[s.Sources[i].Name] = strings.TrimSuffix(s.Sources[i].Root, "/")
	}
	return roots
}
