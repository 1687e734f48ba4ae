package page

import (
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

// How much something wants a person, and the colour and icon that stand for it.
const (
	levelOK   = "ok"   // as it should be
	levelBusy = "busy" // on its way
	levelWarn = "warn" // keep an eye on it
	levelBad  = "bad"  // needs somebody
)

// VerdictView is the whole status in one sentence.
type VerdictView struct {
	Level string `json:"level"`
	Icon  string `json:"icon"`
	Text  string `json:"text"`
}

// mostNamed is how many things a sentence lists by name.
const mostNamed = 3

// verdict is the sentence of the status package in the language of the reader,
// and behind it what that one does not look at: whether changes of the
// configuration and notifications get through, and whether the journal fills up.
func (m *maker) verdict() VerdictView {
	v := m.s.Verdict()
	level, text := m.sentence(v)
	if unseen := m.unseen(); level == levelOK && unseen != "" {
		level, text = levelBusy, text+m.say("verdict.also", "what", unseen)
	}
	for _, also := range m.alsos() {
		text += m.say("verdict.also", "what", also)
		if level == levelOK || level == levelBusy {
			level = levelWarn
		}
	}
	if v.Offline {
		text = m.say("verdict.offline", "what", text)
		level = levelBad
	}
	return VerdictView{Level: level, Icon: "i-" + level, Text: text}
}

func (m *maker) sentence(v status.Verdict) (level, text string) {
	total := v.Remotes + v.Sinks
	switch v.Kind {
	case status.VerdictProblem:
		key := "verdict.problem"
		for _, p := range v.Parts {
			if p.What == status.OfJournal || p.What == status.OfSource {
				key = "verdict.trouble" // "of 4" would count what is no remote
			}
		}
		return levelBad, m.say(key, "n", count(len(v.Parts)), "total", count(total), "list", m.list(v.Parts))
	case status.VerdictBehind:
		level = levelBusy
		for _, p := range v.Parts {
			if levelOf(p.State) == levelWarn {
				level = levelWarn
			}
		}
		return level, m.say("verdict.behind", "n", count(len(v.Parts)), "total", count(total), "list", m.list(v.Parts))
	case status.VerdictNothing:
		if m.s.From == status.FromDaemon && len(m.s.Sources) == 0 {
			return levelBusy, m.say("verdict.starting") // a configuration has at least one source
		}
		return levelWarn, m.say("verdict.nothing")
	}
	if v.Sinks == 0 {
		return levelOK, m.say("verdict.in_sync", "n", count(v.Remotes))
	}
	return levelOK, m.say("verdict.in_sync_sinks", "remotes", m.say("count.remotes", "n", count(v.Remotes)), "sinks", m.say("count.sinks", "n", count(v.Sinks)))
}

func (m *maker) list(parts []status.VerdictPart) string {
	text := ""
	for i, p := range parts {
		if i == mostNamed {
			return text + m.say("verdict.more", "n", count(len(parts)-mostNamed))
		}
		if i > 0 {
			text += m.say("verdict.comma")
		}
		switch p.What {
		case status.OfJournal:
			text += m.say("verdict.journal")
		case status.OfSource:
			text += m.say("verdict.source", "name", names.Printable(p.Name))
		default:
			text += m.say("verdict.is", "name", names.Printable(p.Name), "state", m.stateWord(p.State))
		}
	}
	return text
}

// unseen tells of a source of which it is not known what has changed; "" for none.
func (m *maker) unseen() string {
	if name := m.s.Verdict().Unseen; name != "" {
		return m.say("verdict.unseen", "name", names.Printable(name))
	}
	return ""
}

// alsos are the troubles that leave replication as it is.
func (m *maker) alsos() []string {
	var also []string
	if d := m.s.Daemon; d != nil && d.LastReloadError != "" {
		also = append(also, m.say("verdict.reload"))
	}
	if m.s.Journal.NearlyFull() {
		also = append(also, m.say("verdict.nearly_full"))
	}
	for _, n := range m.notifiers() {
		if n.Level == levelBad {
			also = append(also, m.say("verdict.notifier", "name", n.Name))
		}
	}
	return also
}

func (m *maker) stateWord(st replicate.State) string { return m.say("state." + string(st)) }

func levelOf(st replicate.State) string {
	switch st {
	case replicate.StateInSync:
		return levelOK
	case replicate.StateFailing, replicate.StateHeld:
		return levelBad
	case replicate.StateRetrying, replicate.StatePaused:
		return levelWarn
	}
	return levelBusy
}
