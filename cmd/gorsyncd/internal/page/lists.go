package page

import (
	"net/url"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/names"
)

// Entry is a failing entry on one remote. assets/entries.js makes the same.
type Entry struct {
	Key      string `json:"key"`
	Path     string `json:"path"`
	Remote   string `json:"remote"`
	ID       string `json:"id"`
	Href     string `json:"href"`
	Message  string `json:"message"`
	Attempts int    `json:"attempts"`
	Due      int64  `json:"due"`
	Explain  string `json:"explain"` // the address of the answer
}

func entriesOf(entries []control.EntryOf, roots map[string]string) []Entry {
	var out []Entry
	for _, e := range entries {
		raw, err := e.Raw()
		if err != nil {
			raw = e.Text
		}
		out = append(out, Entry{Key: e.Remote + "\n" + e.Text, Path: e.Path.String(), Remote: names.Printable(e.Remote),
			ID: e.ErrorID, Href: hrefOf(e.ErrorID), Message: names.Printable(e.Message), Attempts: e.Attempts,
			Due: millis(e.Next), Explain: explainAddress(roots[e.Source], raw)})
	}
	return out
}

// explainAddress leads to the page with the answer, of a name of any bytes.
func explainAddress(root, path string) string {
	full := root
	if path != "" {
		full += "/" + path
	}
	p := names.NewPath(full)
	v := url.Values{"path": {p.Text}}
	if p.B64 != "" {
		v.Set("path_b64", p.B64)
	}
	return "explain?" + v.Encode()
}

// Event is a line of the last changes. assets/events.js makes the same.
type Event struct {
	At     int64  `json:"at"`
	Source string `json:"source"`
	Seq    string `json:"seq"`
	Op     string `json:"op"` // for the style
	Word   string `json:"word"`
	Path   string `json:"path"`
}

// eventsOf has the newest first.
func eventsOf(t texts, lines []events.Line) []Event {
	var out []Event
	for i := len(lines) - 1; i >= 0; i-- {
		if e, ok := eventOf(t, lines[i]); ok {
			out = append(out, e)
		}
	}
	return out
}

func eventOf(t texts, l events.Line) (Event, bool) {
	e := Event{At: millis(l.Time), Source: names.Printable(l.Source), Op: l.Event}
	switch l.Event {
	case events.KindEntry:
		e.Seq, e.Op, e.Word = "#"+count(l.Seq), l.Op, t.say("op."+l.Op)
		if l.Op == "remove" && l.Count > 1 {
			e.Word = t.say("op.removed_many", "n", count(l.Count))
		}
		e.Path = "."
		if l.Path != nil && l.Text != "" {
			e.Path = l.Path.String()
		}
		return e, true
	case events.KindGap:
		e.Path = t.say("events.gap", "from", "#"+count(l.From), "to", "#"+count(l.To), "reason", names.Printable(l.Reason))
		return e, true
	}
	return e, false
}
