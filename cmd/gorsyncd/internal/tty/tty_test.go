package tty

import (
	"reflect"
	"strings"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/tty/ptytest"
)

func TestParseKeys(t *testing.T) {
	for text, want := range map[string][]Key{
		"": nil, "q": {KeyQuit}, "xjq": {KeyDown, KeyQuit}, "\x1b[A\x1bOB": {KeyUp, KeyDown},
		"\x1b[5~\x1b[6~": {KeyPageUp, KeyPageDown},
		"\x1b[1;5q":      nil, // a sequence that ends in a letter
		"\x1b[200q":      nil, "\x1b": nil, "\x1b[": nil, "报q": {KeyQuit},
	} {
		if got := parse(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestDrawAndRestore draws on a real terminal, in full size and beyond it.
func TestDrawAndRestore(t *testing.T) {
	pty := ptytest.New(t, 10, 3)
	if _, err := pty.TTY.WriteString("before"); err != nil {
		t.Fatal(err)
	}
	s, err := Open(pty.TTY, nil)
	if err != nil {
		t.Fatal(err)
	}
	if w, h := s.Size(); w != 10 || h != 3 {
		t.Errorf("%d × %d", w, h)
	}
	draw := func(lines ...string) {
		t.Helper()
		if err := s.Draw(lines); err != nil {
			t.Fatal(err)
		}
		want := strings.Join(lines[:min(len(lines), 3)], "\n") + "\n" + strings.Repeat("\n", 3-min(len(lines), 3))
		pty.Until("drawn", func(s *ptytest.Screen) bool { return s.Text() == want && s.Alternate && !s.Cursor && !s.Wraps })
	}
	draw("0123456789", "报表报表报", "last")
	draw("short")
	draw("1", "2", "3", "one too many")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	pty.Until("restored", func(s *ptytest.Screen) bool {
		return !s.Alternate && s.Cursor && s.Wraps && strings.HasPrefix(s.Text(), "before\n")
	})
}
