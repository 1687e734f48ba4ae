package screen

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Style is how a piece of a line looks.
type Style string

// Styles, as parameters of the terminal's SGR sequence.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Cyan   Style = "36"
)

// Line is one line of the screen.
type Line []Span

// Span is a piece of a line in one style. Its text is printable.
type Span struct {
	Text  string
	Style Style
}

// Text is the line as it goes to a terminal, without a newline.
func (l Line) Text(colour bool) string {
	var b strings.Builder
	for _, s := range l {
		if colour && s.Style != Plain {
			b.WriteString("\x1b[" + string(s.Style) + "m" + s.Text + "\x1b[0m")
		} else {
			b.WriteString(s.Text)
		}
	}
	return b.String()
}

func plain(text string) Line { return Line{{text, Plain}} }

// measure knows how wide text is.
type measure struct{ *runewidth.Condition }

func newMeasure(wide bool) measure {
	return measure{&runewidth.Condition{EastAsianWidth: wide}}
}

// cut shortens text to a width; what is left of a cut text ends in an ellipsis.
func (m measure) cut(text string, width int) string {
	if width <= 0 {
		return ""
	}
	if m.StringWidth(text) <= width {
		return text
	}
	tail := "…"
	if m.StringWidth(tail) > width {
		tail = ""
	}
	return m.Truncate(text, width, tail)
}

// cutFront is cut that keeps the end, where paths differ.
func (m measure) cutFront(text string, width int) string {
	wide := m.StringWidth(text)
	if wide <= width {
		return text
	}
	head := m.StringWidth("…")
	if head > width {
		return ""
	}
	runes := []rune(text)
	for len(runes) > 0 && m.StringWidth(string(runes)) > width-head {
		runes = runes[1:]
	}
	return "…" + string(runes)
}

// wrap breaks text at spaces into at most so many lines; the last one may be too wide.
func (m measure) wrap(text string, width, lines int) []string {
	var out []string
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		switch {
		case line == "":
			line = word
		case len(out) == lines-1 || m.StringWidth(line)+1+m.StringWidth(word) <= width:
			line += " " + word
		default:
			out, line = append(out, line), word
		}
	}
	return append(out, line)
}

// pad fills text up to a width.
func (m measure) pad(text string, width int, right bool) string {
	space := strings.Repeat(" ", max(0, width-m.StringWidth(text)))
	if right {
		return space + text
	}
	return text + space
}

// fit cuts a line to a width.
func (m measure) fit(l Line, width int) Line {
	var out Line
	for i, s := range l {
		rest := 0
		for _, more := range l[i+1:] {
			rest += m.StringWidth(more.Text)
		}
		if w := m.StringWidth(s.Text); w > width || w == width && rest > 0 {
			return append(out, Span{m.cut(s.Text+strings.Repeat(".", rest), width), s.Style})
		}
		width -= m.StringWidth(s.Text)
		out = append(out, s)
	}
	return out
}
