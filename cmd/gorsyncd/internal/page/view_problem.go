package page

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/replicate"
)

// Problem is what somebody should look at, with its remedy.
type Problem struct {
	Key     string `json:"key"`
	Name    string `json:"name"`   // of the source, remote, sink or notifier; "" for the daemon's own
	Target  string `json:"target"` // what the buttons act on, as the API takes it
	Level   string `json:"level"`
	Icon    string `json:"icon"`
	Word    string `json:"word"`
	ID      string `json:"id"`    // of the error, "" for none
	Href    string `json:"href"`  // where it is explained
	Title   string `json:"title"` // the error in the language of the reader
	Message string `json:"message"`
	Path    string `json:"path"`
	Hint    string `json:"hint"`
	Since   int64  `json:"since"`
	Attempt string `json:"attempt"`
	Due     int64  `json:"due"` // the next attempt
	Retry   bool   `json:"retry"`
	Approve bool   `json:"approve"`
	Pause   bool   `json:"pause"`
	Looks   bool   `json:"looks"` // there are names to look at before approving
}

// problems lists what needs somebody before what heals itself.
func (m *maker) problems() []Problem {
	out := []Problem{}
	if w := m.s.Journal.Waiting; w != "" {
		out = append(out, Problem{Key: "journal", Level: levelBad, Icon: "i-bad", Word: m.say("problem.journal"),
			Message: names.Printable(w), Hint: m.say("hint.journal")})
	}
	for _, src := range m.s.Sources {
		if src.State == "held" {
			p := Problem{Key: "source " + src.Name, Name: names.Printable(src.Name), Target: src.Name + "/*", Level: levelBad, Icon: "i-held",
				Word: m.stateWord(replicate.StateHeld), Message: names.Printable(src.Held), Hint: m.say("hint.source"), Approve: true}
			if !src.Approvable() {
				p.Hint, p.Approve = names.Printable(strings.Join(src.Hints, "; ")), false
			}
			out = append(out, p)
		}
	}
	for i := range m.s.Remotes {
		if p, ok := m.problem(&m.s.Remotes[i]); ok {
			out = append(out, p)
		}
	}
	for i := range m.s.Sinks {
		if p, ok := m.sinkProblem(&m.s.Sinks[i]); ok {
			out = append(out, p)
		}
	}
	for _, n := range m.notifiers() {
		if n.Level == levelBad {
			out = append(out, m.notifierProblem(n))
		}
	}
	if d := m.s.Daemon; d != nil && d.LastReloadError != "" {
		out = append(out, Problem{Key: "reload", Level: levelWarn, Icon: "i-bad", Word: m.say("problem.reload"),
			Message: names.Printable(d.LastReloadError), Hint: m.say("hint.reload")})
	}
	slices.SortStableFunc(out, func(a, b Problem) int { return cmp.Compare(rankOf(a), rankOf(b)) })
	return out
}

func (m *maker) notifierProblem(n NotifierView) Problem {
	hint := n.Hint
	if hint == "" {
		hint = m.say("hint.notifier")
	}
	return Problem{Key: "notifier " + n.Name, Name: n.Name, Level: levelWarn, Icon: "i-bad", Word: m.say("problem.notifier"), ID: n.ID, Href: hrefOf(n.ID),
		Title: m.known("error." + n.ID), Message: n.Message, Hint: hint, Due: n.Due}
}

func rankOf(p Problem) int {
	if p.Level == levelBad {
		return 0
	}
	return 1
}

func (m *maker) problem(r *replicate.Status) (Problem, bool) {
	p := m.card("remote "+r.Name, r.Name, r.State)
	switch {
	case r.State == replicate.StateHeld && r.Held != nil:
		p.ID, p.Message = cutID(r.Held.Reason)
		p.Message, p.Since = names.Printable(p.Message), millis(&r.Held.Since)
		p.Hint, p.Approve, p.Pause, p.Looks = m.say("hint.held"), true, true, true
	case r.State == replicate.StatePaused || r.Error == nil:
		return p, false
	default:
		m.failed(&p, r.Error)
	}
	p.Title, p.Href = m.known("error."+p.ID), hrefOf(p.ID)
	return p, true
}

func (m *maker) sinkProblem(k *sink.Status) (Problem, bool) {
	if k.State == replicate.StatePaused || k.Error == nil {
		return Problem{}, false
	}
	p := m.card("sink "+k.Name, k.Name, k.State)
	m.failed(&p, k.Error)
	p.Title, p.Href = m.known("error."+p.ID), hrefOf(p.ID)
	return p, true
}

func (m *maker) card(key, name string, st replicate.State) Problem {
	level := levelOf(st)
	if level != levelBad {
		level = levelWarn
	}
	return Problem{Key: key, Name: names.Printable(name), Target: name, Level: level, Icon: iconOf(string(st)), Word: m.stateWord(st)}
}

func (m *maker) failed(p *Problem, e *replicate.StatusError) {
	p.ID, p.Message, p.Path, p.Hint = e.ID, names.Printable(e.Message), names.Printable(e.Path), m.remedy(e)
	if e.Attempts > 0 {
		p.Attempt = m.say("problem.attempt", "n", count(e.Attempts))
	}
	p.Due, p.Retry, p.Pause = millis(e.NextRetry), true, true
}

// remedy is in the language of the reader where there is one for the id; in
// English it is the daemon's own.
func (m *maker) remedy(e *replicate.StatusError) string {
	hint := names.Printable(e.Hint)
	if key := "remedy." + e.ID; m.known(key) != "" {
		return m.say(key, "hint", hint)
	}
	return hint
}

var leadingID = regexp.MustCompile(`^([EGW]-[A-Z0-9-]+)\s+`)

// cutID takes an error id from the front of a reason.
func cutID(reason string) (id, rest string) {
	if f := leadingID.FindStringSubmatch(reason); f != nil {
		return f[1], reason[len(f[0]):]
	}
	return "", reason
}

func hrefOf(id string) string {
	if id == "" {
		return ""
	}
	return "errors#" + id
}
