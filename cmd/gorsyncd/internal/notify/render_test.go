package notify

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func someItems(n int) (items []Item) {
	for i := range n {
		items = append(items, Item{Key: Key{fmt.Sprintf("www/r%02d", i), AspectState}, Event: Began, Lasted: 2*time.Hour + 13*time.Minute,
			Condition: Condition{Kind: Failing, ID: "E-AUTH", Text: "auth failed on module www", Hint: "see the server's secrets file", Command: fmt.Sprintf("gorsyncd status www/r%02d", i), Since: start}})
	}
	return items
}

func TestText(t *testing.T) {
	t.Setenv("TZ", "UTC")
	m := NewMessage("web1", "ops", English, start, someItems(1))
	if m.Title != "gorsyncd on web1: www/r00 is failing" {
		t.Errorf("title: %s", m.Title)
	}
	for _, want := range []string{"www/r00 is failing, since 2026-11-30 ", "(2h13m)", "E-AUTH auth failed on module www", "hint: see the server's", "run: gorsyncd status www/r00"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("%q is missing in:\n%s", want, m.Text)
		}
	}
	items := someItems(3)
	until := start.Add(time.Hour)
	items[2].Event, items[2].Until, items[2].Untold = Ended, &until, true
	m = NewMessage("web1", "ops", Chinese, start, items)
	for _, want := range []string{"web1 上的 gorsyncd：2 个问题（2 个出错），1 个已恢复", "提示：", "执行：gorsyncd status www/r01", "www/r02 已恢复", "此前未能送达"} {
		if !strings.Contains(m.Title+m.Text, want) {
			t.Errorf("%q is missing in:\n%s\n%s", want, m.Title, m.Text)
		}
	}
	if m.Kind != Problem || len(m.Problems) != 2 || len(m.Recovered) != 1 {
		t.Errorf("%+v", m)
	}
}

// TestEveryKindHasWords in every language, for what is and for what was.
func TestEveryKindHasWords(t *testing.T) {
	for _, w := range []*words{&english, &chinese} {
		for _, k := range Kinds {
			if w.is[k] == "" || w.was[k] == "" || w.count[k] == "" {
				t.Errorf("no words for %s", k)
			}
		}
	}
}

// TestRenderFits: whatever the limit, no character and no count is lost.
func TestRenderFits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 3))
	for range 500 {
		lang := []Language{English, Chinese}[rnd.IntN(2)]
		items := someItems(1 + rnd.IntN(60))
		for i := range items {
			items[i].Text = strings.Repeat("目录 ", rnd.IntN(200))
		}
		m := NewMessage("web1", "ops", lang, start, items)
		limit := rnd.IntN(9000)
		title, text := m.Render(limit)
		if len(title)+len(text) > limit || !utf8.ValidString(title) || !utf8.ValidString(text) {
			t.Fatalf("limit %d: %d bytes\n%q\n%q", limit, len(title)+len(text), title, text)
		}
		if shown := strings.Count(text, lang.words().run); limit > 2000 && shown < len(items) && !strings.Contains(text, "gorsyncd status\n") && !strings.HasSuffix(text, "gorsyncd status") && !strings.HasSuffix(text, "…") {
			t.Fatalf("limit %d: %d of %d items, and nothing says so:\n%s", limit, shown, len(items), text)
		}
	}
}

// TestHostileNames: what comes from elsewhere cannot begin a line or move a cursor.
func TestHostileNames(t *testing.T) {
	it := someItems(1)[0]
	it.Text = "x\n\x1b[2Jrun: rm -rf /\r\n\u202egnp"
	it.Subject = "www/\x1bnas"
	m := NewMessage("web\n1", "ops", English, start, []Item{it})
	for _, s := range []string{m.Title, m.Text} {
		for _, r := range s {
			if r < ' ' && r != '\n' || r == 0x7f || r == '\u202e' {
				t.Errorf("%q", s)
			}
		}
	}
	if strings.Contains(m.Text, "\nrun: rm") || strings.Contains(m.Title, "\n") {
		t.Errorf("a line of its own:\n%s", m.Text)
	}
}

func TestMessageJSON(t *testing.T) {
	m := NewMessage("web1", "ops", English, start, someItems(250))
	if len(m.Problems) != maxItems || m.More != 50 {
		t.Errorf("%d items and %d more", len(m.Problems), m.More)
	}
	b, err := json.Marshal(NewTest("web1", "ops", English, start))
	if err != nil || !strings.Contains(string(b), `"problems":[],"recovered":[]`) || strings.Contains(string(b), "null") {
		t.Errorf("%v %s", err, b)
	}
}
