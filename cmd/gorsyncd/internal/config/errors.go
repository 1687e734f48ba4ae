package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"gorsyncd/cmd/gorsyncd/internal/names"
)

// Pos is a place in a configuration. Line 0 means that there is no line: a
// default, or the command line, as File says.
type Pos struct {
	File      string
	Line, Col int
}

func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Error is one thing wrong with a configuration.
type Error struct {
	Pos     Pos
	Message string
	Excerpt string // the line, safe to print, secrets masked; "" when there is none
}

// Error returns the place, the message and the line below them.
func (e *Error) Error() string {
	s := e.Pos.String() + ": " + e.Message
	if e.Excerpt != "" {
		s += fmt.Sprintf("\n%6d | %s", e.Pos.Line, e.Excerpt)
	}
	return s
}

// Errors is everything wrong with one configuration, in file order. It is
// the error type of Load, Parse and FromArgs for faulty content.
type Errors struct{ List []*Error }

func (e *Errors) Error() string {
	parts := make([]string, 0, len(e.List))
	for _, one := range e.List {
		parts = append(parts, one.Error())
	}
	return strings.Join(parts, "\n")
}

// Unwrap makes each error reachable by errors.As.
func (e *Errors) Unwrap() []error {
	out := make([]error, 0, len(e.List))
	for _, one := range e.List {
		out = append(out, one)
	}
	return out
}

// maxErrors ends the collection: past it a list helps nobody.
const maxErrors = 200

// reporter collects errors. The same message at the same place counts once,
// because a bad default shows at every remote that inherits it.
type reporter struct {
	lines []string
	list  []*Error
	seen  map[Error]bool
}

func newReporter(data []byte) *reporter {
	return &reporter{lines: strings.Split(string(data), "\n"), seen: map[Error]bool{}}
}

func (r *reporter) add(pos Pos, format string, args ...any) {
	e := Error{Pos: pos, Message: names.Printable(mask(fmt.Sprintf(format, args...)))}
	if pos.Line > 0 && pos.Line <= len(r.lines) {
		e.Excerpt = excerpt(r.lines[pos.Line-1])
	}
	r.put(e)
}

// put is add for a message that holds nothing of the file.
func (r *reporter) put(e Error) {
	if r.seen[e] || len(r.list) >= maxErrors {
		return
	}
	r.seen[e] = true
	r.list = append(r.list, &e)
}

// err returns the sorted errors, or nil.
func (r *reporter) err() error {
	if len(r.list) == 0 {
		return nil
	}
	slices.SortStableFunc(r.list, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	return &Errors{List: r.list}
}

// secrets are what text to be printed is searched for. They are compiled when there
// is such text: each command is a process of its own.
type secrets struct{ value, file, url, target *regexp.Regexp }

var hidden = sync.OnceValue(func() *secrets {
	return &secrets{
		value: regexp.MustCompile(`(?i)((?:pas+(?:wd|word|phrase)?|secret|token|authorization|cookie)["']?\s*[:=]\s*)\S.*`),
		// A password where the path of its file belongs.
		file: regexp.MustCompile(`(?i)((?:pas+(?:wd|word|phrase)?|token|url|secret|headers)_file["']?\s*[:=]\s*["']?)[^/~$"'\s#].*`),
		// What follows the host in the address of a receiver is a secret as a rule.
		url: regexp.MustCompile(`(?i)(\b(?:url|webhook)["']?\s*[:=]\s*["']?[a-z]+://[^/\s"'?#]*)[/?#][^\s"',}]*`),
		// A password may hold about anything, slashes, spaces and @ included.
		target: regexp.MustCompile(`([^\s/@:"']+:)[^@\s/:][^"']*@`),
	}
})

// mask hides what looks like a password in text that will be printed.
func mask(s string) string {
	is := hidden()
	s = is.url.ReplaceAllString(s, "${1}/***")
	return is.target.ReplaceAllString(is.value.ReplaceAllString(s, "${1}***"), "${1}***@")
}

func excerpt(line string) string {
	const widest = 160
	line = strings.ReplaceAll(strings.TrimRight(line, " \t\r"), "\t", "    ")
	out := []rune(names.Printable(mask(hidden().file.ReplaceAllString(line, "${1}***"))))
	if len(out) > widest {
		return string(out[:widest]) + "…"
	}
	return string(out)
}
