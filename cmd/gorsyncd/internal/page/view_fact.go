package page

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

// Notice is something to know that stops nothing.
type Notice struct {
	ID   string `json:"id"`
	Href string `json:"href"`
	Text string `json:"text"`
}

// mostSampled is how many names or remotes a notice lists.
const mostSampled = 3

func (m *maker) notices() []Notice {
	out := []Notice{}
	add := func(text string) { out = append(out, Notice{Text: text}) }
	hints := map[string]bool{}
	for i := range m.s.Sources {
		src := &m.s.Sources[i]
		name := names.Printable(src.Name)
		for _, f := range src.Fallbacks {
			add(m.say("notice.fallback", "name", name, "why", names.Printable(f)))
		}
		if src.Unwatched > 0 {
			add(m.say("notice.unwatched", "name", name, "n", count(src.Unwatched), "sample", m.sample(src.UnwatchedSample)))
		}
		if src.Overflows > 0 {
			add(m.say("notice.overflow", "name", name, "n", count(src.Overflows)))
		}
		for _, h := range src.Hints {
			if !hints[h] {
				hints[h] = true
				add(names.Printable(h))
			}
		}
	}
	out = append(out, m.findings()...)
	if m.s.Journal.NearlyFull() {
		add(m.say("notice.journal", "size", size(m.s.Journal.SizeBytes), "max", size(m.s.Journal.MaxBytes)))
	}
	if d := m.s.Daemon; d != nil && len(d.NeedsRestart) > 0 {
		add(m.say("notice.restart", "keys", names.Printable(strings.Join(d.NeedsRestart, ", "))))
	}
	for i := range m.s.Kept {
		if i == 10 {
			add(m.say("notice.kept_more", "n", count(len(m.s.Kept)-i)))
			break
		}
		k := &m.s.Kept[i]
		add(m.say("notice.kept", "name", names.Printable(k.Name), "entries", m.say("count.entries", "n", count(k.LagEntries+k.Failing))))
	}
	if m.s.Note != "" {
		add(names.Printable(m.s.Note))
	}
	return out
}

// findings says what remotes do not keep, each thing once with its remotes.
func (m *maker) findings() []Notice {
	type thing struct {
		f       replicate.FindingStatus
		remotes []string
	}
	var things []*thing
	for _, r := range m.s.Remotes {
		for _, f := range r.Findings {
			i := slices.IndexFunc(things, func(t *thing) bool {
				return t.f.ID == f.ID && t.f.Message == f.Message && t.f.Detail == f.Detail && t.f.Remedy == f.Remedy
			})
			if i < 0 {
				i = len(things)
				things = append(things, &thing{f: f})
			}
			things[i].remotes = append(things[i].remotes, r.Name)
		}
	}
	var out []Notice
	for _, t := range things {
		text := t.f.Message
		if t.f.Detail != "" {
			text += " (" + t.f.Detail + ")"
		}
		if t.f.Remedy != "" {
			text += m.say("notice.remedy", "text", t.f.Remedy)
		}
		list := strings.Join(t.remotes[:min(mostSampled, len(t.remotes))], ", ")
		if more := len(t.remotes) - mostSampled; more > 0 {
			list += m.say("verdict.more", "n", count(more))
		}
		out = append(out, Notice{ID: t.f.ID, Href: hrefOf(t.f.ID), Text: names.Printable(m.say("notice.finding", "names", list, "text", text))})
	}
	return out
}

func (m *maker) sample(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	var shown []string
	for _, p := range paths[:min(mostSampled, len(paths))] {
		shown = append(shown, names.Printable(p))
	}
	return " (" + strings.Join(shown, ", ") + ")"
}

func (m *maker) facts() []Fact {
	out := []Fact{}
	add := func(key, value string) *Fact {
		out = append(out, Fact{Key: key, Label: m.say("fact." + key), Value: value})
		return &out[len(out)-1]
	}
	if d := m.s.Daemon; d != nil {
		add("version", names.Printable(d.Version))
		add("started", "").At = (m.s.Time.UnixMilli() - int64(d.UptimeSeconds*1000)) / 1000 * 1000
		config := names.Printable(d.ConfigFile)
		if config == "" {
			config = m.say("fact.no_config")
		}
		add("config", config)
		m.reload(add, d)
	}
	j := m.s.Journal
	add("head", "#"+count(j.HeadSeq))
	add("entries", count(j.Entries))
	if f := add("size", size(j.SizeBytes)); j.MaxBytes > 0 {
		f.Value = m.say("fact.of", "used", size(j.SizeBytes), "max", size(j.MaxBytes))
		f.Used, f.Max = j.SizeBytes, j.MaxBytes
	}
	add("oldest", "").At = millis(j.OldestEntry)
	pinned := names.Printable(j.PinnedBy)
	if pinned == "" {
		pinned = m.say("fact.nobody")
	}
	add("pinned", pinned)
	m.watches(add)
	return out
}

func (m *maker) reload(add func(key, value string) *Fact, d *status.Daemon) {
	switch {
	case d.LastReloadError != "":
		add("reload", m.say("fact.refused")).At = millis(d.LastReload)
	case millis(d.LastReload) != 0:
		add("reload", m.say("fact.applied")).At = millis(d.LastReload)
	default:
		add("reload", m.say("fact.never"))
	}
}

func (m *maker) watches(add func(key, value string) *Fact) {
	used, limit := 0, 0
	var backends []string
	for i := range m.s.Sources {
		src := &m.s.Sources[i]
		used += src.Watches
		limit = max(limit, src.WatchLimit) // one limit for all: it is the user's
		if src.Backend != "" && !slices.Contains(backends, src.Backend) {
			backends = append(backends, src.Backend)
		}
	}
	if f := add("watches", count(used)); limit > 0 {
		f.Value = m.say("fact.of", "used", count(used), "max", count(limit))
		f.Used, f.Max = int64(used), int64(limit)
	}
	if len(backends) > 0 {
		slices.Sort(backends)
		add("backend", strings.Join(backends, ", "))
	}
}

// allOf is the address of the page with all rows of a source.
func allOf(source string) string {
	return fmt.Sprintf("?all=%s", strings.ReplaceAll(url.QueryEscape(source), "+", "%20"))
}
