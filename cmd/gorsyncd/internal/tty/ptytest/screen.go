package ptytest

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// Screen is what a terminal shows, for the few sequences that are in use here; any
// other is a Fault, and so is text that would wrap.
type Screen struct {
	Alternate bool // it shows the alternate screen
	Cursor    bool // it shows the cursor
	Wraps     bool
	Fault     string // the first thing that was wrong

	width, height int
	x, y          int
	main, alt     [][]string // cells by line; "" behind a wide one
	rest          []byte     // of a character or a sequence that is not complete
}

// NewScreen returns an empty one.
func NewScreen(width, height int) *Screen {
	s := &Screen{Cursor: true, Wraps: true, width: width, height: height}
	s.main, s.alt = blank(width, height), blank(width, height)
	return s
}

func blank(width, height int) [][]string {
	lines := make([][]string, height)
	for i := range lines {
		lines[i] = make([]string, width)
		for k := range lines[i] {
			lines[i][k] = " "
		}
	}
	return lines
}

// Resize empties the screen, which programs draw again.
func (s *Screen) Resize(width, height int) {
	s.width, s.height, s.x, s.y = width, height, 0, 0
	s.main, s.alt = blank(width, height), blank(width, height)
}

// Text is what is shown.
func (s *Screen) Text() string {
	var b strings.Builder
	for _, l := range s.lines() {
		b.WriteString(strings.TrimRight(strings.Join(l, ""), " ") + "\n")
	}
	return b.String()
}

func (s *Screen) lines() [][]string {
	if s.Alternate {
		return s.alt
	}
	return s.main
}

// Write has the screen show text.
func (s *Screen) Write(p []byte) {
	p = append(s.rest, p...)
	for len(p) > 0 && s.Fault == "" {
		n := s.one(p)
		if n == 0 {
			break // more is to come
		}
		p = p[n:]
	}
	s.rest = append([]byte(nil), p...)
}

// one takes one character or sequence, 0 when it is not complete.
func (s *Screen) one(p []byte) int {
	switch p[0] {
	case '\r':
		s.x = 0
		return 1
	case '\n':
		if s.y++; s.y >= s.height {
			if s.Alternate {
				s.fault("it scrolls")
			}
			s.y = s.height - 1
		}
		return 1
	case 0x1b:
		return s.escape(p)
	}
	if !utf8.FullRune(p) {
		return 0
	}
	r, n := utf8.DecodeRune(p)
	if r < 0x20 || r == utf8.RuneError {
		s.fault(fmt.Sprintf("%q is no text", p[:n]))
		return n
	}
	s.put(r)
	return n
}

func (s *Screen) put(r rune) {
	wide := runewidth.RuneWidth(r)
	if s.x+wide > s.width {
		s.fault(fmt.Sprintf("%q does not fit into %d columns: %s", r, s.width, s.Text()))
		return
	}
	s.lines()[s.y][s.x] = string(r)
	for i := 1; i < wide; i++ {
		s.lines()[s.y][s.x+i] = ""
	}
	s.x += wide
}

func (s *Screen) escape(p []byte) int {
	for i := 2; i < len(p); i++ {
		if p[i] >= 0x40 && p[i] <= 0x7e {
			s.sequence(string(p[1 : i+1]))
			return i + 1
		}
	}
	return 0
}

func (s *Screen) sequence(seq string) {
	switch {
	case seq == "[H":
		s.x, s.y = 0, 0
	case seq == "[K":
		s.erase(s.y, s.x)
	case seq == "[J":
		s.erase(s.y, s.x)
		for y := s.y + 1; y < s.height; y++ {
			s.erase(y, 0)
		}
	case seq == "[?1049h" || seq == "[?1049l":
		s.Alternate = seq[len(seq)-1] == 'h'
		s.alt = blank(s.width, s.height)
	case seq == "[?25h" || seq == "[?25l":
		s.Cursor = seq[len(seq)-1] == 'h'
	case seq == "[?7h" || seq == "[?7l":
		s.Wraps = seq[len(seq)-1] == 'h'
	case seq == "[?2026h" || seq == "[?2026l" || strings.HasPrefix(seq, "[") && strings.HasSuffix(seq, "m"):
	default:
		s.fault(fmt.Sprintf("%q is not known", seq))
	}
}

func (s *Screen) erase(y, from int) {
	for x := from; x < s.width; x++ {
		s.lines()[y][x] = " "
	}
}

func (s *Screen) fault(what string) {
	if s.Fault == "" {
		s.Fault = what
	}
}
