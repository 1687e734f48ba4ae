package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestReorder(t *testing.T) {
	cli := newApp(io.Discard, io.Discard).cli
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"status", "status"},
		{"status www/nas --json", "--json status www/nas"},
		{"status www/nas -c x --watch", "--config x status --watch www/nas"},
		{"-c x status", "--config x status"},
		{"run /a h::m --state-dir=/s --socket /k", "--state-dir=/s --socket /k run /a h::m"},
		{"run -c=x", "--config=x run"},
		{"flush /p --timeout 3s -r a --remote b /q", "flush --timeout 3s -r a --remote b /p /q"},
		{"journal inspect --state failing --json", "--json journal inspect --state failing"},
		{"journal --json inspect", "--json journal inspect"},
		{"config check -c x", "--config x config check"},
		{"pause a/b --reason -x", "pause --reason -x a/b"},
		{"pause a/b --reason --json", "pause --reason --json a/b"},
		{"explain -- --json", "explain -- --json"},
		{"explain -- -c x", "explain -- -c x"},
		{"explain status", "explain status"},
		{"explain a -- b", "explain a b"},
		{"explain -", "explain -"},
		{"status --unknown x", "status --unknown x"},
		{"nonsense --json", "--json nonsense"},
		{"help status", "status --help"},
		{"help journal inspect", "journal inspect --help"},
		{"help", "--help"},
		{"stauts --help", "stauts"},
		{"journal inspct -h", "journal inspct"},
		{"status --timeout", "status --timeout"},
		{"flush --timeout", "flush --timeout"},
		{"-V", "--version"},
	} {
		got := reorder(cli, strings.Fields(c.in))
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%q became %q, want %q", c.in, strings.Join(got, " "), c.want)
		}
	}
}

// FuzzReorder: no word is lost or made up but for the terminator, and what
// stands behind "--" stays in order at the end.
func FuzzReorder(f *testing.F) {
	f.Add("status\x00--json\x00a\x00--\x00-b")
	f.Add("-c\x00x\x00run\x00--log-level=debug\x00/a")
	cli := newApp(io.Discard, io.Discard).cli
	f.Fuzz(func(t *testing.T, joined string) {
		in := strings.Split(joined, "\x00")
		out := reorder(cli, in)
		if in[0] == "help" {
			return
		}
		if i := slices.Index(in, "--"); i >= 0 {
			tail := in[i+1:]
			if len(out) < len(tail) || !slices.Equal(out[len(out)-len(tail):], tail) {
				// unless "--" was the value of a flag
				if i == 0 || !strings.HasPrefix(in[i-1], "-") {
					t.Fatalf("%q became %q", in, out)
				}
			}
		}
		if len(out) > len(in)+1 {
			t.Fatalf("%q became %q", in, out)
		}
	})
}
