package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorsyncd/cmd/gorsyncd/internal/names"
)

// maxText is what a message's text may have in JSON and mails.
const maxText = 64 << 10

// maxLine bounds one text of an item, in runes.
const maxLine = 400

// Render is the message for people in at most limit bytes of title and text together.
// Items that do not fit are counted at the end; no character is cut.
func (m *Message) Render(limit int) (title, text string) {
	title = Cut(m.Title, limit)
	if len(m.Problems)+len(m.Recovered) == 0 {
		return title, Cut(m.Text, limit-len(title))
	}
	w := m.Language.words()
	var blocks []string
	for _, it := range slices.Concat(m.Problems, m.Recovered) {
		blocks = append(blocks, w.block(it))
	}
	left := limit - len(title)
	for n := len(blocks); n > 0; n-- {
		lines := blocks[:n:n]
		if more := len(blocks) - n + m.More; more > 0 {
			lines = append(lines, w.more(more))
		}
		if text = strings.Join(lines, "\n\n"); len(text) <= left {
			return title, text
		}
	}
	return title, Cut(blocks[0], left)
}

// Cut shortens text to at most limit bytes, between characters, and says so.
func Cut(text string, limit int) string {
	const mark = "…"
	if len(text) <= limit {
		return text
	}
	n := limit - len(mark)
	if n < 0 {
		return ""
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + mark
}

// block tells one item.
func (w *words) block(it Item) string {
	who := w.name(it.Subject)
	if it.over() {
		form := w.ended
		if it.Event == Gone {
			form = w.gone
		}
		if it.Kind == Crash && it.Event == Ended {
			return fmt.Sprintf(w.steady, who, clock(it.Since))
		}
		text := fmt.Sprintf(form, who, w.was[it.Kind], clock(it.Since), clock(*it.Until), span(it.Lasted))
		if it.Interruptions > 0 {
			text += w.comma + w.breaks(it.Interruptions)
		}
		if it.Text != "" {
			text += "\n  " + line(strings.TrimSpace(it.ID+" "+it.Text))
		}
		if it.Untold {
			text += "\n  " + w.untold
		}
		return text
	}
	since := fmt.Sprintf(w.since, clock(it.Since), span(it.Lasted))
	if it.Interruptions > 0 {
		since += w.comma + w.breaks(it.Interruptions)
	}
	text := who + " " + w.is[it.Kind] + w.comma + map[Event]string{Still: w.still, Worse: w.worse}[it.Event] + since
	if what := strings.TrimSpace(it.ID + " " + it.Text); what != "" {
		text += "\n  " + line(what)
	}
	if it.Hint != "" {
		text += "\n  " + w.hint + line(it.Hint)
	}
	if it.Command != "" {
		text += "\n  " + w.run + line(it.Command)
	}
	return text
}

func (w *words) name(subject string) string {
	if n, ok := w.subject[subject]; ok {
		return n
	}
	return names.Printable(subject)
}

// line is a text in one line that is not too long.
func line(s string) string {
	r := []rune(names.Printable(strings.ReplaceAll(s, "\n", " ")))
	if len(r) > maxLine {
		r = append(r[:maxLine], '…')
	}
	return string(r)
}

// title tells of one item what it is, and of many how many of what.
func (m *Message) title() string {
	w := m.Language.words()
	head := fmt.Sprintf(w.on, names.Printable(m.Host))
	if len(m.Problems)+len(m.Recovered)+m.More == 1 {
		for _, it := range m.Problems {
			return head + w.name(it.Subject) + " " + w.is[it.Kind]
		}
		return head + w.name(m.Recovered[0].Subject) + " " + w.recoveredWord(m.Recovered[0])
	}
	var parts []string
	if n := len(m.Problems); n > 0 {
		parts = append(parts, w.problems(n)+fmt.Sprintf(w.aside, w.kinds(m.Problems)))
	}
	if n := len(m.Recovered); n > 0 {
		parts = append(parts, w.recover(n))
	}
	return head + strings.Join(parts, w.comma)
}

func (w *words) recoveredWord(it Item) string {
	if w == &chinese {
		return map[bool]string{true: "已从配置中移除", false: "已恢复"}[it.Event == Gone]
	}
	return map[bool]string{true: "is no longer configured", false: "has recovered"}[it.Event == Gone]
}

// kinds: 38 failing, 2 held.
func (w *words) kinds(items []Item) string {
	n := map[Kind]int{}
	for _, it := range items {
		n[it.Kind]++
	}
	var parts []string
	for _, k := range Kinds {
		if n[k] == 0 {
			continue
		}
		form := w.count[k]
		if strings.Contains(form, "%d") {
			form = fmt.Sprintf(form, n[k])
		}
		parts = append(parts, form)
	}
	return strings.Join(parts, w.comma)
}

// standing is the text of messages without items.
func (m *Message) standing(why string) (title, text string) {
	w := m.Language.words()
	head := fmt.Sprintf(w.on, names.Printable(m.Host))
	switch m.Kind {
	case Test:
		return head + w.test[0], fmt.Sprintf(w.test[1], names.Printable(m.Host), names.Printable(m.Notifier))
	case Flatline:
		return head + fmt.Sprintf(w.flat, line(why)), line(why)
	}
	return head + w.beat, w.beat
}

// clock is a moment in local time.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

// span is a duration in its two leading units.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	day, h, m, s := d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60
	switch {
	case day > 0:
		return fmt.Sprintf("%dd%dh", day, h)
	case h > 0:
		return fmt.Sprintf("%dh%dm", h, m)
	case m > 0:
		return fmt.Sprintf("%dm%ds", m, s)
	}
	return fmt.Sprintf("%ds", s)
}
