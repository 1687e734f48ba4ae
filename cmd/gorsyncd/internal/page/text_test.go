package page

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// families are keys that are put together where they are used.
var families = []string{"state.", "source.", "kind.", "error.", "remedy.", "fact.", "notifier.", "op."}

func TestBothLanguagesSayTheSame(t *testing.T) {
	en, zh := textsOf()["en"], textsOf()["zh"]
	if a, b := slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(zh)); !slices.Equal(a, b) {
		t.Errorf("the languages have other keys:\n%q\n%q", a, b)
	}
	places := regexp.MustCompile(`\{\w+\}`)
	for key, text := range en {
		a, b := places.FindAllString(text, -1), places.FindAllString(zh[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		// In English a remedy is what the daemon says.
		if remedy := strings.HasPrefix(key, "remedy."); remedy && text != "{hint}" {
			t.Errorf("%s is %q", key, text)
		} else if !remedy && !slices.Equal(a, b) {
			t.Errorf("%s has other places: %q and %q", key, a, b)
		}
		if text == "" || zh[key] == "" {
			t.Errorf("%s is empty", key)
		}
	}
}

// TestEveryKeyExistsAndIsUsed reads the sources.
func TestEveryKeyExistsAndIsUsed(t *testing.T) {
	used := map[string]bool{}
	call := regexp.MustCompile("(?:\\b(?:say|known|dueAt)\\(|\\.Say |Known |textWord\\()[^\"`\n]*?\"([a-z_]+(?:\\.[A-Za-z0-9_-]+)?)\"")
	word := regexp.MustCompile("\"([a-z_]+\\.[a-z_]+)\"")
	en := textsOf()["en"]
	for _, glob := range []string{"*.go", "*.html", "assets/*.js"} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			t.Fatal(err, glob)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range call.FindAllStringSubmatch(string(b), -1) {
				used[m[1]] = true
				if _, ok := en[m[1]]; !ok && strings.Contains(m[1], ".") && !slices.Contains(families, m[1]) && !strings.HasSuffix(m[1], ".") {
					t.Errorf("%s uses %q, which does not exist", f, m[1])
				}
			}
			for _, m := range word.FindAllStringSubmatch(string(b), -1) {
				if _, ok := en[m[1]]; ok {
					used[m[1]] = true
				}
			}
		}
	}
	if len(used) < 80 {
		t.Fatalf("only %d keys were found", len(used))
	}
	for key := range en {
		base := strings.TrimSuffix(key, ".one")
		if !used[base] && !slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(key, f) }) {
			t.Errorf("%s is not used", key)
		}
	}
	for _, state := range strings.Fields("state.starting state.full_sync state.in_sync state.syncing state.retrying state.failing state.held state.paused state.waiting " +
		"source.starting source.scanning source.watching source.held op.change op.remove notifier.ok notifier.failing notifier.pending " +
		"kind.list kind.top kind.root kind.big kind.reconcile kind.move kind.checksum") {
		if en[state] == "" {
			t.Errorf("%s does not exist", state)
		}
	}
}

// TestEveryErrorTitleHasAnError: titles are of ids that the guide knows.
func TestEveryErrorTitleHasAnError(t *testing.T) {
	known := map[string]bool{}
	for _, d := range errorDocs() {
		known[d.ID] = true
	}
	if len(known) < 40 {
		t.Fatalf("only %d errors", len(known))
	}
	for key := range textsOf()["en"] {
		for _, family := range []string{"error.", "remedy."} {
			if id, ok := strings.CutPrefix(key, family); ok && !known[id] {
				t.Errorf("%s is of no error", key)
			}
		}
	}
}

func TestFormat(t *testing.T) {
	en, zh := textsOf()["en"], textsOf()["zh"]
	for _, c := range []struct{ got, want string }{
		{en.duration(0), "<1s"}, {en.duration(41 * time.Second), "41s"}, {en.duration(250 * time.Second), "4m10s"}, {en.duration(time.Hour), "1h"},
		{en.duration(133 * time.Minute), "2h13m"}, {en.duration(76 * time.Hour), "3d4h"}, {zh.duration(133 * time.Minute), "2小时13分"},
		{en.ago(1000_000, 0), "–"}, {en.ago(1000_000, 959_000), "41s ago"}, {zh.ago(1000_000, 959_000), "41秒前"},
		{en.until(1000, 0), ""}, {en.until(1000, 1000), "now"}, {en.until(1000, 62_000), "in 1m1s"}, {count(1234567), "1\u202f234\u202f567"},
		{en.say("count.files", "n", 1), "1 file"}, {en.say("no such key"), "no such key"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestSpark(t *testing.T) {
	v := func(x float64) *float64 { return &x }
	en := textsOf()["en"]
	if s := newSpark(en, nil); s.Line != "" || s.Title != en["spark.nothing"] {
		t.Errorf("%+v", s)
	}
	if s := newSpark(en, []*float64{v(41), nil, nil, nil, nil, nil, v(2), v(20.5), v(1)}); s.Line != "M117 1h1M119 12h1" || s.Title != "worst lag of the last 60 minutes: 41s" {
		t.Errorf("%+v", s)
	}
	full := make([]*float64, 400)
	for i := range full {
		full[i] = v(1)
	}
	if s := newSpark(en, full); !strings.HasPrefix(s.Line, "M0 21h1L2 21") || !strings.HasSuffix(s.Line, "L120 21") {
		t.Errorf("%+v", s)
	}
}
