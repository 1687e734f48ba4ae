package outbound

import (
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/names"
)

// maxTail bounds what is kept of a program's output.
const maxTail = 4 << 10

// Tail keeps the end of what is written to it.
type Tail struct{ b []byte }

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if n := len(t.b) - maxTail; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

// String is the last line that says something, fit to be shown.
func (t *Tail) String() string {
	lines := strings.Split(strings.TrimSpace(string(t.b)), "\n")
	last := []rune(names.Printable(strings.TrimSpace(lines[len(lines)-1])))
	const most = 300
	if len(last) > most {
		last = append(last[:most], '…')
	}
	return string(last)
}

// Plainly is an error in one line.
func Plainly(err error) string {
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", " ")
}
