package names

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"img/logo.png", "img/logo.png"},
		{"报表.xlsx", "报表.xlsx"},
		{`back\slash`, `back\slash`},
		{"new\nline", `new\nline`},
		{"\x1b[31mred\\", `\x1b[31mred\\`},
		{"\xb1\xa8", `\xb1\xa8`},
		{"a\u202egpj", `a\u202egpj`},
		{"del\x7f", `del\x7f`},
		{"c1\u009b2J", `c1\u009b2J`},
		{"", ""},
	} {
		if got := Printable(c.in); got != c.want {
			t.Errorf("Printable(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestShortenKeepsTheEnd(t *testing.T) {
	if got := Shorten("a/very/long/name.txt", 9); got != "…name.txt" {
		t.Errorf("got %q", got)
	}
	if got := Shorten("short", 9); got != "short" {
		t.Errorf("got %q", got)
	}
}

func FuzzPathSurvivesJSON(f *testing.F) {
	f.Add("plain")
	f.Add("\xff\x00\n")
	f.Fuzz(func(t *testing.T, name string) {
		doc, err := json.Marshal(NewPath(name))
		if err != nil {
			t.Fatal(err)
		}
		var p Path
		if err := json.Unmarshal(doc, &p); err != nil {
			t.Fatal(err)
		}
		got, err := p.Raw()
		if err != nil || got != name {
			t.Fatalf("%q came back as %q (%v) through %s", name, got, err, doc)
		}
		for _, r := range p.String() {
			if r < 0x20 || r == 0x7f || r == utf8.RuneError && !utf8.ValidString(p.String()) {
				t.Fatalf("%q prints as %q", name, p.String())
			}
		}
	})
}
