package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
)

// Options are what the first paint is made of. Functions that are nil leave
// their part to the browser.
type Options struct {
	Status func(context.Context) (status.Status, error)
	// Lag is the last hour of each remote and sink by name, in seconds at lagEvery,
	// oldest first, nil where nothing is known: as /api/v1/lag gives it.
	Lag func() map[string][]*float64
	// The others are those of control.API.
	Entries func(context.Context, control.EntriesQuery) (control.EntriesPage, error)
	Events  func(context.Context, events.Request, func(events.Line) error) error
	Explain func(ctx context.Context, path string) (control.Explanation, error)
	// Access says what the reader may do.
	Access  func(*http.Request) Access
	Version string           // of the program
	Now     func() time.Time // nil: time.Now
}

// Access is what a reader may do.
type Access struct {
	MayAct    bool // press buttons
	CanLogIn  bool // there is a token to log in with
	LoggedIn  bool // and so can log out
	MustLogIn bool // nothing may be shown before that
}

//go:embed page.html assets
var files embed.FS

// Handler serves the page.
type Handler struct {
	o     Options
	mux   *http.ServeMux
	build string // of the assets, part of their addresses
	host  string // the machine, in the title: who has several pages open tells them apart
}

// New returns the handler of /, /errors, /explain and /assets/.
func New(o Options) *Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	host, err := os.Hostname()
	if err != nil {
		host = "gorsyncd"
	}
	h := &Handler{o: o, mux: http.NewServeMux(), build: buildID(), host: names.Printable(host)}
	h.mux.HandleFunc("GET /{$}", h.page)
	h.mux.HandleFunc("GET /errors", h.errors)
	h.mux.HandleFunc("GET /explain", h.explain)
	h.mux.HandleFunc("GET /assets/{build}/{file...}", h.asset)
	h.mux.HandleFunc("GET /assets/{build}/parts/{lang}", h.parts)
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// buildID is the same as long as the assets are: browsers may keep them.
func buildID() string {
	sum := sha256.New()
	for _, dir := range []struct {
		from fs.FS
		root string
	}{{files, "assets"}, {files, "page.html"}, {langFiles, "lang"}} {
		_ = fs.WalkDir(dir.from, dir.root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := fs.ReadFile(dir.from, name)
			sum.Write([]byte(name))
			sum.Write(b)
			return err
		})
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

var assetTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".json": "application/json", ".svg": "image/svg+xml"}

// asset serves a file of assets/, or lang/NAME.json.
func (h *Handler) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	b, err := files.ReadFile("assets/" + name)
	if err != nil {
		b, err = langFiles.ReadFile(name)
	}
	kind := assetTypes[path.Ext(name)]
	if err != nil || kind == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", h.keep(r))
	_, _ = w.Write(b)
}

// parts serves the markup that scripts fill in, with the texts of a language.
func (h *Handler) parts(w http.ResponseWriter, r *http.Request) {
	lang := r.PathValue("lang")
	if textsOf[lang] == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", h.keep(r))
	h.render(w, http.StatusOK, "parts", struct {
		*paint
		Row     Row
		Problem Problem
		Group   Group
		Work    Work
		Flight  Flight
		Notice  Notice
		Fact    Fact
		Notify  NotifierView
		Entry   Entry
		Event   Event
	}{paint: &paint{texts: textsOf[lang]}})
}

// keep says how long a browser may keep what it asks for.
func (h *Handler) keep(r *http.Request) string {
	if r.PathValue("build") == h.build {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache" // of another build
}

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
	p := &paint{texts: textsOf[lang], Lang: lang, Tag: lang, Other: "zh", Build: h.build, Host: h.host, Version: h.o.Version, Now: h.o.Now().UnixMilli(), All: r.URL.Query().Get("all")}
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

var page = template.Must(template.New("page.html").ParseFS(files, "page.html"))

func (h *Handler) render(w http.ResponseWriter, code int, name string, v any) {
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, name, v); err != nil {
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
