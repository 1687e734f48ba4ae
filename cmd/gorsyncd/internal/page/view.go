package page

import (
	"slices"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

const (
	rowLimit  = 20 // remotes of one source that are shown without being asked for
	cardLimit = 20 // problems that are told at length
)

// View is a Status in the words of one language. Moments are milliseconds of
// the epoch, 0 for none; lists are never nil. assets/view.js makes the same.
type View struct {
	Verdict   VerdictView    `json:"verdict"`
	Problems  []Problem      `json:"problems"`
	Unshown   string         `json:"unshown"` // "12 more, see the table", or ""
	Groups    []Group        `json:"groups"`
	Works     []Work         `json:"works"`
	Flights   []Flight       `json:"flights"`
	Notices   []Notice       `json:"notices"`
	Facts     []Fact         `json:"facts"`
	Notifiers []NotifierView `json:"notifiers"`
}

// Group is a source with its remotes and sinks.
type Group struct {
	Name   string `json:"name"`
	Level  string `json:"level"`
	Icon   string `json:"icon"`
	Word   string `json:"word"` // the state of the source
	Root   string `json:"root"`
	Watch  string `json:"watch"` // how, and how much
	Rows   []Row  `json:"rows"`
	Hidden string `json:"hidden"` // "480 more"; "" when all are shown
	All    string `json:"all"`    // the address that shows them
}

// Row is a remote or a sink in the table.
type Row struct {
	Name    string `json:"name"` // source/remote, as the API takes it
	Short   string `json:"short"`
	Target  string `json:"target"`
	Sink    bool   `json:"sink"`
	State   string `json:"state"`
	Level   string `json:"level"`
	Icon    string `json:"icon"`
	Word    string `json:"word"`
	Behind  string `json:"behind"`
	Lag     string `json:"lag"`
	Rate    string `json:"rate"`
	Last    int64  `json:"last"` // success
	Note    string `json:"note"`
	Due     int64  `json:"due"`      // when something changes by itself
	DueWord string `json:"due_word"` // what that is
	Paused  bool   `json:"paused"`
}

// Fact is a line about the daemon.
type Fact struct {
	Key   string `json:"key"`
	Label string `json:"label"`
	Value string `json:"value"`
	Max   int64  `json:"max"`  // of a meter; 0 for none
	Used  int64  `json:"used"` // of Max
	At    int64  `json:"at"`   // a moment to tell behind the value
}

// maker makes the parts of a View.
type maker struct {
	texts
	s   status.Status
	all string // the source whose rows are all shown; "*" for all
}

// NewView says what s means in a language, with all rows of one source or of "*".
func NewView(s status.Status, lang, all string) View {
	m := &maker{texts: textsOf()[lang], s: s, all: all}
	problems := m.problems()
	v := View{Verdict: m.verdict(), Problems: problems, Groups: m.groups(), Works: m.works(), Flights: m.flights(),
		Notices: m.notices(), Facts: m.facts(), Notifiers: m.notifiers()}
	if more := len(problems) - cardLimit; more > 0 {
		v.Problems, v.Unshown = problems[:cardLimit], m.say("problems.more", "n", count(more))
	}
	return v
}

func (m *maker) groups() []Group {
	out := []Group{}
	for i := range m.s.Sources {
		out = append(out, m.group(&m.s.Sources[i]))
	}
	return out
}

func (m *maker) group(src *status.Source) Group {
	g := Group{Name: names.Printable(src.Name), Root: names.Printable(src.Root), Watch: m.watch(src), Rows: []Row{}, All: allOf(src.Name)}
	g.Level, g.Icon = levelOfSource(src.State), iconOf(src.State)
	g.Word = m.say("source." + src.State)
	shown, hidden := 0, 0
	add := func(r Row) {
		if shown >= rowLimit && m.all != src.Name && m.all != "*" && !calls(r.State) {
			hidden++
			return
		}
		shown++
		g.Rows = append(g.Rows, r)
	}
	for i := range m.s.Remotes {
		if r := &m.s.Remotes[i]; r.Source == src.Name {
			add(m.row(r))
		}
	}
	for i := range m.s.Sinks {
		if k := &m.s.Sinks[i]; k.Source == src.Name {
			add(m.sinkRow(k))
		}
	}
	if hidden > 0 {
		g.Hidden = m.say("rows.more", "n", count(hidden))
	}
	return g
}

// calls tells whether a row in this state is shown whatever there is of others.
func calls(state string) bool {
	return state == string(replicate.StateFailing) || state == string(replicate.StateHeld) || state == string(replicate.StateRetrying)
}

func (m *maker) row(r *replicate.Status) Row {
	row := m.base(r.Name, r.Remote, r.Target, r.State, r.LagEntries, r.LagSeconds)
	if r.Rate >= 1 {
		row.Rate = m.say("rate", "size", size(uint64(r.Rate)))
	}
	row.Last = millis(r.LastSuccess)
	row.Note = m.note(r)
	row.Due, row.DueWord = m.due(r)
	row.Paused = r.Paused != nil
	return row
}

func (m *maker) sinkRow(k *sink.Status) Row {
	row := m.base(k.Name, k.Sink, k.Kind+" "+k.Target, k.State, k.LagEntries, k.LagSeconds)
	row.Sink, row.Last, row.Paused = true, millis(k.LastSuccess), k.Paused != nil
	row.Note = m.sinkNote(k)
	if k.Error != nil {
		row.Due, row.DueWord = m.dueAt(k.Error.NextRetry, "due.retry")
	}
	return row
}

func (m *maker) base(name, short, target string, st replicate.State, entries uint64, lag float64) Row {
	row := Row{Name: name, Short: names.Printable(short), Target: names.Printable(target), State: string(st), Level: levelOf(st),
		Icon: iconOf(string(st)), Word: m.stateWord(st), Behind: count(entries), Lag: none, Rate: none}
	if entries > 0 || lag > 0 {
		row.Lag = m.seconds(lag)
	}
	return row
}

// due is the next moment at which something changes by itself.
func (m *maker) due(r *replicate.Status) (int64, string) {
	switch {
	case r.Paused != nil:
		return m.dueAt(r.Paused.Until, "due.resume")
	case r.State == replicate.StateWaiting:
		return m.dueAt(r.Opens, "due.opens")
	case r.Error != nil && r.State != replicate.StateHeld:
		return m.dueAt(r.Error.NextRetry, "due.retry")
	}
	return 0, ""
}

func (m *maker) dueAt(t *time.Time, key string) (int64, string) {
	if millis(t) == 0 {
		return 0, ""
	}
	return millis(t), m.say(key)
}

func iconOf(state string) string {
	switch state {
	case "in_sync", "watching":
		return "i-ok"
	case "syncing", "full_sync", "scanning":
		return "i-busy"
	case "retrying":
		return "i-retry"
	case "failing":
		return "i-bad"
	case "held":
		return "i-held"
	case "paused":
		return "i-pause"
	}
	return "i-wait"
}

func levelOfSource(state string) string {
	switch state {
	case "held":
		return levelBad
	case "watching":
		return levelOK
	}
	return levelBusy
}

// watch: 12 412 directories, inotify.
func (m *maker) watch(src *status.Source) string {
	if src.State == "held" && src.Held != "" {
		return names.Printable(src.Held)
	}
	if src.State == "scanning" {
		return m.say("source.scanned", "n", count(src.ScanDirs))
	}
	text := m.say("count.dirs", "n", count(src.Dirs))
	if src.Backend != "" {
		text += m.say("verdict.comma") + src.Backend
	}
	return text
}

// notes joins what there is to say about a row.
func (m *maker) notes(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	text := ""
	for i, p := range parts {
		if i > 0 {
			text += m.say("note.and")
		}
		text += p
	}
	return text
}
