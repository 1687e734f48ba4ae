package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
)

const prefix = "/api/v1"

// Right is what a client needs to be allowed for a route where not everybody who can
// connect may do everything.
type Right string

const (
	RightOpen   Right = "open"   // nothing: it tells nothing about what is replicated
	RightRead   Right = "read"   // it looks, at a cost that is bounded
	RightAct    Right = "act"    // it changes what gorsyncd does, or has it work hard
	RightSocket Right = "socket" // it is for whoever may use the unix socket
)

// Forms of an answer.
const (
	FormJSON   = "application/json"
	FormLines  = "application/x-ndjson" // frames, the last of which says how it ended
	FormEvents = "text/event-stream"
)

// Route is one endpoint of the API.
type Route struct {
	Method  string
	Path    string // as http.ServeMux takes it
	Right   Right
	Summary string
	Query   []Param
	Body    any      // a value of what the request holds; nil for nothing
	Answers []Answer // what a good request gets, by form; more than one are chosen by Accept

	serve http.HandlerFunc
}

// Param is a parameter of the query.
type Param struct {
	Name, About string
	Type        string   // of JSON Schema
	Words       []string // all that it may be; nil for anything of the type
}

// Answer is what a route answers.
type Answer struct {
	Form  string
	Of    []any             // values of the document, or of the items of lines: one of them
	Names map[string]string // FormEvents: what is in the data of each event; see Route documentation
}

// Pattern is the route as http.ServeMux takes it.
func (r Route) Pattern() string { return r.Method + " " + r.Path }

// Lasts tells whether answers go on until somebody ends them.
func (r Route) Lasts() bool {
	return slices.ContainsFunc(r.Answers, func(a Answer) bool { return a.Form == FormEvents })
}

// jsonOf is the answer of a route with one document.
func jsonOf(v ...any) []Answer { return []Answer{{Form: FormJSON, Of: v}} }

// linesOf is the answer of a route with any number of items.
func linesOf(v ...any) []Answer { return []Answer{{Form: FormLines, Of: v}} }

// get serves a document for a request without a body.
func (s *door) get(limit time.Duration, do func(context.Context, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.one(w, r, limit, func(ctx context.Context) (any, error) { return do(ctx, r) })
	}
}

// post serves a document for a request whose body is one JSON document.
func post[T any](s *door, limit time.Duration, do func(context.Context, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		if err := readBody(r, &body); err != nil {
			s.fail(w, err)
			return
		}
		s.one(w, r, limit, func(ctx context.Context) (any, error) { return do(ctx, body) })
	}
}

// one answers a request, whose body has been read, with one document.
func (s *door) one(w http.ResponseWriter, r *http.Request, limit time.Duration, do func(context.Context) (any, error)) {
	extendWrite(w, limit+graceWrite)
	ctx, cancel := context.WithTimeoutCause(r.Context(), limit, tooSlow(limit))
	defer cancel()
	v, err := do(ctx)
	if err != nil {
		s.fail(w, cause(ctx, err))
		return
	}
	s.reply(w, v)
}

func readBody(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &Error{Code: CodeUsage, Message: fmt.Sprintf("the request cannot be read: %v", err), Err: err}
	}
	return nil
}

// routes are all routes behind a gate.
func (s *door) routes(gate Gate) http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.table() {
		var h http.Handler = r.serve
		if r.Lasts() {
			h = headless(h)
		}
		if gate != nil {
			h = gate(r, h)
		}
		mux.Handle(r.Pattern(), h)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.nowhere(mux, w, r) })
	return mux
}

// headless answers HEAD of what would go on for ever.
func headless(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
		}
	})
}

// nowhere answers what no route is for.
func (s *door) nowhere(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = m
		if _, pattern := mux.Handler(other); pattern != "/" && pattern != "" && strings.HasPrefix(pattern, m+" ") {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.fail(w, &Error{Code: CodeMethod, Message: names.Printable(fmt.Sprintf("%s is not for %s", r.URL.Path, r.Method)), Hint: "use " + strings.Join(allowed, " or ")})
		return
	}
	s.fail(w, &Error{Code: CodeNotFound, Message: names.Printable(fmt.Sprintf("no such endpoint: %s %s", r.Method, r.URL.Path)),
		Hint: "the daemon may be older than this command: restart it"})
}
