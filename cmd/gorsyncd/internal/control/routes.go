package control

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
)

// Routes are all endpoints, for their description.
func (s *Service) Routes() []Route { return (&door{Service: s}).table() }

// table is the one list of what there is, and who may do it.
func (s *door) table() []Route {
	all := append(s.looking(), s.remoteRoutes()...)
	all = append(all, s.acting()...)
	all = append(all, s.monitoring()...)
	return append(all, s.maintaining()...)
}

// looking are the routes that show something.
func (s *door) looking() []Route {
	return []Route{
		{Method: "GET", Path: prefix + "/status", Right: RightRead, Summary: "The state of everything.", Answers: jsonOf(status.Status{}),
			serve: s.get(lookLimit, func(ctx context.Context, _ *http.Request) (any, error) { return s.api.Status(ctx) })},
		{Method: "GET", Path: prefix + "/live", Right: RightRead, Summary: "The state of everything, and what changes in it, as it changes.",
			Answers: []Answer{{Form: FormEvents, Of: []any{status.Status{}, Delta{}, LagNow{}}}}, serve: s.follower(s.liveStatus)},
		{Method: "GET", Path: prefix + "/lag", Right: RightRead, Summary: "How far each remote and sink was behind in the last hour.", Answers: jsonOf(LagSeries{}),
			serve: s.get(lookLimit, func(ctx context.Context, _ *http.Request) (any, error) { return s.api.Lag(ctx) })},
		{Method: "GET", Path: prefix + "/entries", Right: RightRead, Summary: "A page of the paths that fail on remotes and sinks, or that wait.",
			Query: entriesParams, Answers: jsonOf(EntriesPage{}), serve: s.get(lookLimit, s.entries)},
		{Method: "GET", Path: prefix + "/events", Right: RightRead, Summary: "What was journaled, and with follow what is.", Query: eventsParams,
			Answers: []Answer{{Form: FormLines, Of: []any{events.Line{}}}, {Form: FormEvents, Of: []any{events.Line{}}}}, serve: s.follower(s.events)},
		{Method: "GET", Path: prefix + "/explain", Right: RightRead, Summary: "What becomes of one absolute path.", Query: pathParams, Answers: jsonOf(Explanation{}),
			serve: s.get(lookLimit, func(ctx context.Context, r *http.Request) (any, error) {
				p, err := pathParam(r)
				if err != nil {
					return nil, err
				}
				return s.api.Explain(ctx, p)
			})},
		{Method: "GET", Path: prefix + "/config", Right: RightRead, Summary: "The running configuration, without secrets.", Answers: jsonOf(configDoc{}),
			serve: s.get(lookLimit, func(ctx context.Context, _ *http.Request) (any, error) {
				text, err := s.api.ConfigShow(ctx)
				if distant(ctx) {
					text = hideSecrets(text)
				}
				return configDoc{text}, err
			})},
		{Method: "GET", Path: prefix + "/journal/stats", Right: RightRead, Summary: "The size of the journal.", Answers: jsonOf(JournalStats{}),
			serve: s.get(actLimit, func(ctx context.Context, _ *http.Request) (any, error) {
				st, err := s.api.JournalStats(ctx)
				return NewJournalStats(st), err
			})},
		{Method: "POST", Path: prefix + "/report", Right: RightRead, Summary: "How remotes were served.", Body: ReportRequest{}, Answers: jsonOf(Report{}),
			serve: post(s, actLimit, func(ctx context.Context, r ReportRequest) (any, error) { return s.api.Report(ctx, r) })},
		{Method: "GET", Path: prefix + "/openapi.json", Right: RightRead, Summary: "This description.", Answers: jsonOf(map[string]string{}), serve: s.describe},
	}
}

// acting are the routes that have gorsyncd do something.
func (s *door) acting() []Route {
	named := func(do func(context.Context, []string) ([]string, error)) http.HandlerFunc {
		return post(s, actLimit, func(ctx context.Context, r namesRequest) (any, error) {
			if err := needNames(r.Names); err != nil {
				return nil, err
			}
			return affected(do(ctx, r.Names))
		})
	}
	return []Route{
		{Method: "POST", Path: prefix + "/retry", Right: RightAct, Summary: "Skips back-offs.", Body: RetryRequest{}, Answers: jsonOf(affectedDoc{}),
			serve: post(s, actLimit, func(ctx context.Context, r RetryRequest) (any, error) { return affected(s.api.Retry(ctx, r)) })},
		{Method: "POST", Path: prefix + "/pause", Right: RightAct, Summary: "Stops remotes and sinks; what changes stays journaled.", Body: PauseRequest{}, Answers: jsonOf(affectedDoc{}),
			serve: post(s, actLimit, func(ctx context.Context, r PauseRequest) (any, error) {
				if err := needNames(r.Names); err != nil {
					return nil, err
				}
				return affected(s.api.Pause(ctx, r))
			})},
		{Method: "POST", Path: prefix + "/resume", Right: RightAct, Summary: "Ends pauses.", Body: namesRequest{}, Answers: jsonOf(affectedDoc{}), serve: named(s.api.Resume)},
		{Method: "POST", Path: prefix + "/approve", Right: RightAct, Summary: "Lets through what guards hold.", Body: namesRequest{}, Answers: jsonOf(affectedDoc{}), serve: named(s.api.Approve)},
		{Method: "POST", Path: prefix + "/reload", Right: RightAct, Summary: "Reads the configuration again and applies it.", Body: ReloadRequest{}, Answers: jsonOf(ReloadResult{}),
			serve: post(s, reloadLimit, func(ctx context.Context, r ReloadRequest) (any, error) {
				if len(r.Forget) > 0 && distant(ctx) {
					return nil, socketOnly("forget")
				}
				res, err := s.api.Reload(ctx, r)
				if res.Changes == nil {
					res.Changes = []Change{}
				}
				return res, err
			})},
		{Method: "POST", Path: prefix + "/flush", Right: RightAct, Summary: "Waits until what has changed is on the remotes.", Body: FlushRequest{}, Answers: linesOf(FlushProgress{}), serve: s.flush},
		{Method: "POST", Path: prefix + "/sync", Right: RightAct, Summary: "Starts full syncs, or shows what they would do.", Body: SyncRequest{}, Answers: linesOf(SyncProgress{}), serve: s.sync},
		{Method: "POST", Path: prefix + "/verify", Right: RightAct, Summary: "Compares remotes with their sources.", Body: VerifyRequest{}, Answers: linesOf(VerifyLine{}), serve: s.verify},
		{Method: "POST", Path: prefix + "/replay", Right: RightAct, Summary: "Has what changed since a moment sent again.", Body: ReplayRequest{}, Answers: linesOf(ReplayLine{}), serve: s.replay},
		// It can read the whole journal, for half an hour.
		{Method: "GET", Path: prefix + "/journal/entries", Right: RightAct, Summary: "The entries of the journal and what has become of them.", Query: inspectParams, Answers: linesOf(Row{}), serve: s.inspect},
	}
}

// maintaining are the routes for the administrator of the machine: nothing at a
// distance needs them, and they keep the journal busy.
func (s *door) maintaining() []Route {
	return []Route{
		{Method: "POST", Path: prefix + "/journal/check", Right: RightSocket, Summary: "Verifies every rule of the journal.", Answers: jsonOf(JournalReport{}),
			serve: s.get(longLimit, func(ctx context.Context, _ *http.Request) (any, error) {
				rep, err := s.api.JournalCheck(ctx)
				return NewJournalReport(rep), err
			})},
		{Method: "POST", Path: prefix + "/journal/compact", Right: RightSocket, Summary: "Frees what the journal can free now.", Answers: jsonOf(JournalCompacted{}),
			serve: s.get(longLimit, func(ctx context.Context, _ *http.Request) (any, error) { return s.api.JournalCompact(ctx) })},
	}
}

type (
	configDoc struct {
		Config string `json:"config"`
	}
	namesRequest struct {
		Names []string `json:"names"`
	}
	affectedDoc struct {
		Affected []string `json:"affected"`
	}
)

func affected(names []string, err error) (any, error) { return affectedDoc{nonNil(names)}, err }

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// needNames keeps an empty list from meaning "all" where that is drastic.
func needNames(names []string) error {
	if len(names) == 0 {
		return &Error{Code: CodeUsage, Message: "no remote is named", Hint: "name one, or '*/*' for all"}
	}
	return nil
}

// describe serves the description of the API.
func (s *door) describe(w http.ResponseWriter, _ *http.Request) {
	if s.openAPI == nil {
		s.fail(w, &Error{Code: CodeNotFound, Message: "this daemon has no description of its API", Hint: "gorsyncd docs openapi"})
		return
	}
	w.Header().Set("Content-Type", FormJSON)
	if _, err := w.Write(s.openAPI); err != nil {
		s.log.Debug("control: answer not delivered", "error", err)
	}
}

func tooSlow(limit time.Duration) error {
	return &Error{Code: CodeBusy, Message: fmt.Sprintf("the daemon did not finish this within %s", limit), Hint: "it may be busy: try again"}
}

// cause replaces a bare deadline error by what the deadline stands for.
func cause(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		var known *Error
		if !errors.As(err, &known) {
			return context.Cause(ctx)
		}
	}
	return err
}

// Parameters of queries.
var (
	pathParams    = []Param{{Name: "path", Type: "string"}, {Name: "path_b64", Type: "string", About: "The path in base64, where it is not UTF-8."}}
	inspectParams = append([]Param{
		{Name: "source", Type: "string"}, {Name: "remote", Type: "string", About: "A remote or sink, without its source."},
		{Name: "state", Type: "string", Words: []string{journal.StateQueued, journal.StateFailing, journal.StateAcked}},
		{Name: "from", Type: "integer", About: "The first seq."}, {Name: "to", Type: "integer", About: "The last seq."},
	}, pathParams...)
	eventsParams = []Param{
		{Name: "source", Type: "string", About: "Only this one."},
		{Name: "from", Type: "string", About: "A position that an earlier answer told. The header Last-Event-ID wins over it, and over since and last."},
		{Name: "since", Type: "string", About: "A moment, as in RFC 3339."},
		{Name: "last", Type: "integer", About: "The newest so many."},
		{Name: "path", Type: "string", About: "A pattern of rsync's."},
		{Name: "follow", Type: "boolean", About: "Goes on with what comes; as events it always does."},
	}
)

func pathParam(r *http.Request) (string, error) {
	q := r.URL.Query()
	p := q.Get("path")
	if b64 := q.Get("path_b64"); b64 != "" {
		raw, err := base64.StdEncoding.DecodeString(b64)
		if err != nil {
			return "", &Error{Code: CodeUsage, Message: "path_b64 is not base64", Err: err}
		}
		p = string(raw)
	}
	return p, nil
}

// queryParams reads what inspect looks for.
func queryParams(r *http.Request) (journal.Query, error) {
	v := r.URL.Query()
	p, err := pathParam(r)
	if err != nil {
		return journal.Query{}, err
	}
	q := journal.Query{Source: v.Get("source"), Remote: v.Get("remote"), Path: p, State: v.Get("state")}
	for key, into := range map[string]*uint64{"from": &q.From, "to": &q.To} {
		text := v.Get(key)
		if text == "" {
			continue
		}
		if *into, err = strconv.ParseUint(text, 10, 64); err != nil {
			return q, &Error{Code: CodeUsage, Message: fmt.Sprintf("%s is not a seq: %q", key, text), Err: err}
		}
	}
	switch q.State {
	case "", "queued", "failing", "acked":
		return q, nil
	}
	return q, &Error{Code: CodeUsage, Message: fmt.Sprintf("unknown state %q", q.State), Hint: "known are queued, failing, acked"}
}
