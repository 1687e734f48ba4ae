package browser

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const soon = 15 * time.Second

// row is the row of a remote on the page.
func row(name string) string { return fmt.Sprintf(`tr[data-name="%s"]`, name) }

func cell(name string, n int) string { return fmt.Sprintf(`%s > :nth-child(%d)`, row(name), n) }

func card(name string) string { return fmt.Sprintf(`#problems [data-name="%s"]`, name) }

// says is an expression that is true when an element has a text.
func says(selector, text string) string {
	return fmt.Sprintf(`(document.querySelector(%q)?.innerText ?? "").includes(%q)`, selector, text)
}

// TestDaemon uses the page of the built daemon as somebody would who looks after it.
func TestDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.waitState("www/ok", "in_sync")
	w.waitState("bbs/web1", "in_sync")
	w.waitState("www/auth", "failing")
	w.waitState("www/dead", "retrying")
	w.waitState("www/slow", "full_sync")
	w.write(w.www, "first.txt", "content")
	w.wait("it to be journaled", soon, func() bool { return len(w.events()) > 0 })
	p := open(t, desk, w.url)
	steps := []struct {
		name string
		do   func(*testing.T, *world, *tab)
	}{
		{"without JavaScript", firstPaint}, {"log in", logIn}, {"problems", problems}, {"held", held}, {"drain", drain}, {"pause", pause}, {"retry", retry},
		{"approve", approve}, {"verify and full sync", verifyAndSync}, {"names", oddNames}, {"background", background}, {"explain", explainPath}, {"keyboard", keyboard}, {"pictures", pictures}, {"restart", restart}, {"log out", logOut},
	}
	for _, s := range steps {
		if !t.Run(s.name, func(t *testing.T) {
			p.t, w.t = t, t
			defer func() { p.t, w.t = nil, nil }()
			s.do(t, w, p)
		}) {
			break
		}
	}
	p.t, w.t = t, t
}

func firstPaint(t *testing.T, w *world, _ *tab) {
	l := desk
	l.noScript = true
	p := open(t, l, w.url)
	html, err := chromedp.Run(p.ctx, chromedp.OuterHTML(chromedp.CSS("main")))
	must(t, err)
	for _, want := range []string{"E-AUTH", "E-CONNECT", "www", "rsync://bob@", "log in to act", "first.txt", "full sync"} {
		if !strings.Contains(html, want) {
			t.Errorf("%q is not in the page without JavaScript", want)
		}
	}
	p.shot("no-javascript")
}

func logIn(t *testing.T, w *world, p *tab) {
	p.wait("the page to be alive", `document.querySelector("html[data-js]")`, soon)
	if n := eval[int](p, `[...document.querySelectorAll("button[data-act]")].filter(b => b.offsetParent).length`); n != 0 {
		t.Errorf("%d buttons to act are there before the log-in", n)
	}
	p.setMute(true) // of the 401
	p.run(chromedp.SendKeys(chromedp.CSS("input[name=token]"), "not the token, really\r"))
	p.wait("the refusal", says("#said", "not the token"), soon)
	p.setMute(false)
	eval[string](p, `document.querySelector("input[name=token]").value = ""`)
	p.run(chromedp.SendKeys(chromedp.CSS("input[name=token]"), token+"\r"))
	p.wait("the log-in", `document.querySelector("html[data-js][data-may-act]")`, soon)
	if eval[string](p, "document.cookie") != "" {
		t.Error("scripts can read the ticket")
	}
}

func problems(t *testing.T, _ *world, p *tab) {
	p.wait("the verdict", says("#verdict", "1 of 5 needs you: www/auth is failing"), soon)
	for _, want := range []string{"E-AUTH", "refuses user or password", "password_file", "next in "} {
		if !strings.Contains(p.text(card("www/auth")), want) {
			t.Errorf("%q is not told of www/auth: %s", want, p.text(card("www/auth")))
		}
	}
	for _, want := range []string{"retrying", "E-CONNECT", "attempt "} {
		if !strings.Contains(p.text(card("www/dead")), want) {
			t.Errorf("%q is not told of www/dead: %s", want, p.text(card("www/dead")))
		}
	}
	p.wait("the full sync", says("#works", "www/slow"), soon)
	p.wait("its rsync with the file on its way", `[...document.querySelectorAll("#flights li")].some(e => e.innerText.includes("www/slow") && e.innerText.includes("big.bin") && e.querySelector("progress").value > 0)`, soon)
	before := eval[string](p, fmt.Sprintf(`document.querySelector(%q).textContent`, card("www/auth")+" time"))
	p.wait("the countdown to count", fmt.Sprintf(`document.querySelector(%q).textContent !== %q`, card("www/auth")+" time", before), soon)
}

// held brings about a deletion that the guard does not let through.
func held(t *testing.T, w *world, p *tab) {
	pause := func(command string) {
		_, code, err := w.g.Run(command, "bbs/web1")
		must(t, err)
		if code != 0 {
			t.Fatalf("%s: exit %d", command, code)
		}
	}
	pause("pause") // so that they come together
	for _, name := range hostile {
		must(t, os.Remove(filepath.Join(w.bbs, strings.ReplaceAll(name, "/", "_"))))
	}
	w.wait("them to be journaled", soon, func() bool { return w.remote("bbs/web1").LagEntries >= uint64(len(hostile)) })
	pause("resume")
	p.wait("bbs/web1 to be held", says(card("bbs/web1"), "G-MAXDELETE"), soon)
	p.wait("the verdict", says("#verdict", "2 of 5 need you: www/auth is failing, bbs/web1 is held"), soon)
	if got := w.remote("bbs/web1"); got.State != "held" {
		t.Errorf("%+v", got)
	}
}

func drain(t *testing.T, w *world, p *tab) {
	w.write(w.www, "new/drained", "content")
	p.wait("the event", says("#events", "new/drained"), soon)
	p.wait("nothing to be behind", fmt.Sprintf(`document.querySelector(%q).innerText === "0"`, cell("www/ok", 3)), soon)
	p.wait("the last success", says(cell("www/ok", 7), "ago"), soon)
	if _, err := os.Stat(filepath.Join(w.ok, "new/drained")); err != nil {
		w.wait("the file to arrive", soon, func() bool { _, err := os.Stat(filepath.Join(w.ok, "new/drained")); return err == nil })
	}
}

func pause(t *testing.T, w *world, p *tab) {
	p.click(row("www/ok") + " button[data-act=pause]")
	p.wait("the pause", says(cell("www/ok", 2), "paused"), soon)
	if got := w.remote("www/ok"); got.State != "paused" {
		t.Errorf("the API says %q", got.State)
	}
	w.write(w.www, "while/paused", "content")
	p.wait("it to be behind", fmt.Sprintf(`Number(document.querySelector(%q).innerText) > 0`, cell("www/ok", 3)), soon)
	p.wait("the lag", fmt.Sprintf(`/^[1-9]s$/.test(document.querySelector(%q).innerText)`, cell("www/ok", 4)), soon)
	before := p.text(cell("www/ok", 4))
	p.wait("the lag to grow", fmt.Sprintf(`parseInt(document.querySelector(%q).innerText) > parseInt(%q)`, cell("www/ok", 4), before), soon)
	p.click(row("www/ok") + " button[data-act=resume]")
	p.wait("it to drain", fmt.Sprintf(`document.querySelector(%q).innerText === "0" && %s`, cell("www/ok", 3), says(cell("www/ok", 2), "in sync")), soon)
	if _, err := os.Stat(filepath.Join(w.ok, "while/paused")); err != nil {
		t.Error(err)
	}
}

func retry(t *testing.T, w *world, p *tab) {
	before := w.remote("www/auth").Error.Attempts
	p.click(card("www/auth") + " button[data-act=retry]")
	p.wait("what came of it", says("#said", "www/auth"), soon)
	w.wait("another attempt", soon, func() bool { e := w.remote("www/auth").Error; return e != nil && e.Attempts > before })
	p.wait("it on the page", fmt.Sprintf(`/attempt (\d+)/.exec(document.querySelector(%q).innerText)?.[1] > %d`, card("www/auth"), before), soon)
}

func approve(t *testing.T, w *world, p *tab) {
	p.click(card("bbs/web1") + " button[data-act=approve]")
	p.wait("the names", `document.querySelector("#dialog[open] li")`, soon)
	text := p.text("#dialog")
	for _, want := range []string{"Approve bbs/web1?", fmt.Sprintf("%d removals", len(hostile)), "<img src=x onerror=alert(1)>", `esc\x1b[31mred`, `two\nlines`, `gbk\xb1\xa8\xb1\xed.xls`, "报表_二零二六.xlsx"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the dialog:\n%s", want, text)
		}
	}
	p.shot("approve-1280-en-light")
	p.run(chromedp.KeyEvent(kb.Escape))
	p.wait("the dialog to close", `!document.querySelector("#dialog").open`, soon)
	if got := w.remote("bbs/web1").State; got != "held" {
		t.Fatalf("Escape has approved: %s", got)
	}
	p.click(card("bbs/web1") + " button[data-act=approve]")
	p.wait("the names again", `document.querySelector("#dialog[open] li")`, soon)
	p.click("#dialog-yes")
	p.wait("the problem to go away", fmt.Sprintf(`!document.querySelector(%q)`, card("bbs/web1")), soon)
	w.wait("the files to go away", soon, func() bool {
		_, err := os.Stat(filepath.Join(w.guarded, hostile[0]))
		return errors.Is(err, fs.ErrNotExist)
	})
}

func verifyAndSync(t *testing.T, w *world, p *tab) {
	p.click(row("www/ok") + " button[data-act=verify]")
	p.wait("the question", says("#dialog[open]", "Verify www/ok?"), soon)
	p.click("#dialog-yes")
	p.wait("the result", says(cell("www/ok", 2), "verified"), soon)
	before := w.remote("www/ok").LastFull
	p.click(row("www/ok") + " button[data-act=full-sync]")
	p.wait("the question", says("#dialog[open]", "Full sync of www/ok?"), soon)
	p.click("#dialog-yes")
	w.wait("the full sync", soon, func() bool { return w.remote("www/ok").LastFull != before })
}

// oddNames: TestMain's browser has not let anything of them be more than text, or
// the tab will complain.
func oddNames(t *testing.T, w *world, p *tab) {
	for _, name := range hostile {
		w.write(w.www, "odd/"+strings.ReplaceAll(name, "/", "_"), "content")
	}
	for _, want := range []string{"odd/<img src=x onerror=alert(1)>", `odd/esc\x1b[31mred`, `odd/two\nlines`, `odd/gbk\xb1\xa8\xb1\xed.xls`, `odd/a\u202egpj.exe`} {
		p.wait(want, says("#events", want), soon)
	}
	if n := eval[int](p, `document.querySelectorAll("main img, main b[onerror]").length`); n != 0 {
		t.Error("a name has become an element")
	}
}

// background: what happens while another tab is in front is there afterwards.
func background(_ *testing.T, w *world, p *tab) {
	eval[bool](p, hide)
	for i := range 3 {
		w.write(w.www, fmt.Sprintf("background/%d", i), "content")
	}
	w.wait("them to be journaled", soon, func() bool { return w.remote("www/ok").LagEntries == 0 && w.remote("www/ok").State == "in_sync" })
	eval[bool](p, show)
	for i := range 3 {
		p.wait("an event", says("#events", fmt.Sprintf("background/%d", i)), soon)
	}
}

func explainPath(t *testing.T, w *world, p *tab) {
	path := filepath.Join(w.www, "new/drained")
	p.run(chromedp.SendKeys(chromedp.CSS("#explain-form input"), path+"\r"))
	p.wait("the answer", says("#answer", "delivered"), soon)
	out, _, err := w.g.Output("explain", path)
	must(t, err)
	words := func(s string) []string {
		return slices.DeleteFunc(strings.Fields(s), func(f string) bool { return f == "ms" || strings.ContainsAny(f, "0123456789#") }) // how long ago
	}
	if a, b := words(p.text("#answer")), words(out); !slices.Equal(a, b) {
		t.Errorf("the page says\n%s\nthe command line\n%s", p.text("#answer"), out)
	}
}

// keyboard walks through all that can be reached and presses a button.
func keyboard(t *testing.T, w *world, p *tab) {
	eval[bool](p, `(() => { const top = document.querySelector("#verdict"); top.tabIndex = -1; top.focus(); top.removeAttribute("tabindex"); return true; })()`)
	seen := map[string]bool{}
	for range 80 {
		p.run(chromedp.KeyEvent(kb.Tab))
		at := eval[struct {
			What    string
			Visible bool
			Outline string
		}](p, `(() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
			return { What: e === document.body ? "" : (e.dataset.act ? e.dataset.act + " " + e.closest("[data-name]").dataset.name : e.id || e.name || e.className || e.tagName), Visible: r.width > 0 && r.top >= 0 && r.bottom <= innerHeight + 1, Outline: s.outlineStyle }; })()`)
		if at.What == "" {
			break
		}
		if at.Outline == "none" || !at.Visible {
			t.Errorf("no focus can be seen at %s", at.What)
		}
		seen[at.What] = true
		if at.What == "pause www/ok" && !seen["pressed"] {
			seen["pressed"] = true
			p.run(chromedp.KeyEvent(kb.Enter))
			w.waitState("www/ok", "paused")
			p.wait("the pause on the page", says(cell("www/ok", 2), "paused"), soon)
			_, _, err := w.g.Run("resume", "www/ok")
			must(t, err)
			p.wait("the end of it", says(cell("www/ok", 2), "in sync"), soon)
			p.run(chromedp.Focus(chromedp.CSS(row("www/ok") + " button[data-act=pause]")))
		}
	}
	for _, want := range []string{"lang", "retry www/auth", "pause www/ok", "full-sync www/ok", "verify bbs/web1", "path"} {
		if !seen[want] {
			t.Errorf("%q is not reached by the keyboard, only %v", want, seen)
		}
	}
}

func pictures(t *testing.T, w *world, p *tab) {
	p.fits()
	p.shot("daemon-1280-en-light")
	l := look{wide: 360, high: 740, dark: true, lang: "zh-CN"}
	q := open(t, l, w.url)
	q.wait("the verdict", says("#verdict", "www/auth 故障"), soon)
	q.wait("life", `document.querySelector("html[data-js]")`, soon)
	q.fits()
	q.shot("daemon-360-zh-dark")
}

// restart kills the daemon and starts it again: the page says so, goes on by itself,
// and has every event.
func restart(t *testing.T, w *world, p *tab) {
	p.setMute(true)
	must(t, w.g.Kill9())
	p.wait("the banner", says("#lost", "Connection lost, retrying"), soon)
	p.wait("the verdict not to claim anything", says("#verdict", "Not known now"), soon)
	frozen := p.text(cell("www/ok", 7))
	p.shot("lost-1280-en-light")
	for i := range 5 {
		w.write(w.www, fmt.Sprintf("down/%d", i), "content")
	}
	if again := p.text(cell("www/ok", 7)); again != frozen {
		t.Errorf("the last success was %s, and is %s although nothing is known of it", frozen, again)
	}
	must(t, w.g.Start())
	p.wait("the page to recover", `document.querySelector("#lost").hidden`, 30*time.Second)
	p.wait("the verdict", says("#verdict", "need"), soon)
	p.setMute(false)
	for i := range 5 {
		w.write(w.www, fmt.Sprintf("up/%d", i), "content")
	}
	for i := range 5 {
		p.wait("what came while it was down", says("#events", fmt.Sprintf("down/%d", i)), soon)
		p.wait("what came afterwards", says("#events", fmt.Sprintf("up/%d", i)), soon)
	}
	// The journal keeps the newest change of each path; the page saw the others as well.
	var got, want []string
	w.wait("the events that the command line tells", soon, func() bool {
		got = eval[[]string](p, `[...document.querySelectorAll("#events tr")].map(tr => tr.children[1].innerText + " " + tr.children[2].innerText.replace(/\s/g, ""))`)
		want = w.events()
		return len(want) >= 20 && !slices.ContainsFunc(want, func(e string) bool { return !slices.Contains(got, e) })
	})
	last := map[string]int{}
	for _, e := range got {
		source, digits, _ := strings.Cut(e, " #")
		seq, err := strconv.Atoi(digits)
		if err != nil {
			t.Errorf("%q is no event: a gap?", e)
		}
		if before, ok := last[source]; ok && seq >= before {
			t.Errorf("%s #%d stands below #%d: twice, or out of order", source, seq, before)
		}
		last[source] = seq
	}
}

func logOut(t *testing.T, _ *world, p *tab) {
	p.click("#logout button")
	p.wait("the log-in to be back", `document.querySelector("html[data-js]:not([data-may-act]) input[name=token]")`, soon)
}
