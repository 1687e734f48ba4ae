package page

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"os"
	"path"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// Options are what the first paint is made of. Functions that are nil leave
// their part to the browser.
type Options struct {
	Status func(context.Context) (status.Status, error)
	// Lag is the last hour of each remote and sink by name, in seconds every ten,
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
	if textsOf()[lang] == nil {
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
	}{paint: &paint{texts: textsOf()[lang]}})
}

// keep says how long a browser may keep what it asks for.
func (h *Handler) keep(r *http.Request) string {
	if r.PathValue("build") == h.build {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache" // of another build
}
