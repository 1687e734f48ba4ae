package names

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func FuzzSafeJSON(f *testing.F) {
	for _, s := range []string{"", "plain", "报表 é", "a\u202egpj\u009b2J\x7f\U000e0001", "\xff\x1b[2J\r\n\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		doc, err := json.Marshal(map[string]string{"k": s})
		if err != nil {
			t.Fatal(err)
		}
		out := SafeJSON(doc)
		var want, got map[string]string
		if json.Unmarshal(doc, &want) != nil || json.Unmarshal(out, &got) != nil || want["k"] != got["k"] {
			t.Fatalf("%q: %s became %s", s, doc, out)
		}
		for _, r := range string(out) {
			if !safe(r) && r != '\ufffd' {
				t.Fatalf("%q: %q is left in %s", s, r, out)
			}
		}
	})
}

func TestJSONWriterInLogs(t *testing.T) {
	var b strings.Builder
	slog.New(slog.NewJSONHandler(JSONWriter(&b), nil)).Info("x\u202e", "path", "y\u009b2J\xff\x1b", "n", 1)
	if s := b.String(); strings.ContainsAny(s, "\u202e\u009b\x1b") || !json.Valid([]byte(s)) || strings.Count(s, "\n") != 1 {
		t.Errorf("%q", s)
	}
}
