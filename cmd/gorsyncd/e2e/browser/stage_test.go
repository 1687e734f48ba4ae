package browser

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/page"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// crowd has n remotes in each of five sources, all in sync.
func crowd(now time.Time, n int) status.Status {
	s := status.New(now, status.FromDaemon)
	for i := range 5 {
		src := fmt.Sprintf("s%d", i)
		s.Sources = append(s.Sources, status.Source{Name: src, Status: watch.Status{Root: "/data/" + src, State: watch.StateWatching}})
		for j := range n {
			name := fmt.Sprintf("r%02d", j)
			s.Remotes = append(s.Remotes, replicate.Status{Name: src + "/" + name, Source: src, Remote: name, Target: "h::m", State: replicate.StateInSync})
		}
	}
	return s
}

// TestOnlyWhatChangedIsTouched: of 500 rows one remote's change touches one.
func TestOnlyWhatChangedIsTouched(t *testing.T) {
	t.Parallel()
	st := newStage(t, crowd(time.Now(), 100))
	p := open(t, desk, st.URL)
	if n := eval[int](p, `document.querySelectorAll("tr[data-name]").length`); n != 100 {
		t.Errorf("%d rows without being asked for all", n)
	}
	p.run(chromedp.Navigate(st.URL + "/?all=*"))
	p.wait("all rows, alive", `document.querySelectorAll("tr[data-name]").length === 500 && document.querySelector(".rows tr[data-name]").view`, soon)
	eval[bool](p, `(() => {
		window.touched = new Set();
		const note = list => { for (const m of list) { const e = m.target.nodeType === 1 ? m.target : m.target.parentElement; if (!e.closest("svg")) touched.add(e.closest("[data-name]")?.dataset.name ?? e.outerHTML.slice(0, 80)); } };
		new MutationObserver(note).observe(document.querySelector("#groups"), { subtree: true, childList: true, attributes: true, characterData: true });
		return true;
	})()`)
	st.set(func(s *status.Status) {
		s.Remotes[321].State, s.Remotes[321].LagEntries, s.Remotes[321].LagSeconds = replicate.StateSyncing, 1207, 3
	})
	p.wait("the change", says(cell("s3/r21", 3), "1\u202f207"), soon)
	if got := eval[[]string](p, `[...touched]`); !slices.Equal(got, []string{"s3/r21"}) {
		t.Errorf("touched: %q", got)
	}
	// One that needs somebody is told at the top, wherever it is.
	st.set(func(s *status.Status) {
		s.Remotes[499].State, s.Remotes[499].Error = replicate.StateFailing, &replicate.StatusError{ID: "E-AUTH", Message: "no"}
	})
	p.wait("the problem", says("#verdict", "1 of 500 needs you: s4/r99 is failing")+" && "+says(card("s4/r99"), "E-AUTH"), soon)
	p.run(chromedp.Navigate(st.URL))
	p.wait("its row among the shown", fmt.Sprintf(`document.querySelector(%q)?.view && document.querySelectorAll("tr[data-name]").length === 101`, row("s4/r99")), soon)
	if text := p.text(".more a"); text != "show all" {
		t.Errorf("%q", text)
	}
}

// TestATabThatSlept does not show what it has as if it were new.
func TestATabThatSlept(t *testing.T) {
	t.Parallel()
	st := newStage(t, calm(time.Now()))
	p := open(t, desk, st.URL)
	p.wait("life", `document.querySelector("html[data-js]") && document.querySelector(".rows tr[data-name]").view`, soon)
	if !eval[bool](p, `(() => {
		const real = Date.now;
		Date.now = () => real.call(Date) + 60000;
		document.dispatchEvent(new Event("visibilitychange"));
		return !document.querySelector("#lost").hidden && document.querySelector("#verdict").innerText.startsWith("Not known now; at ") && document.title.startsWith("Not known");
	})()`) {
		t.Errorf("after a minute of sleep: banner %q, verdict %q", p.text("#lost"), p.text("#verdict"))
	}
	p.wait("it to catch up", `document.querySelector("#lost").hidden && document.querySelector("#verdict").innerText === "All 7 remotes in sync"`, soon)
}

// TestNobodyIsThere: a page that never hears of the daemon says so.
func TestNobodyIsThere(t *testing.T) {
	t.Parallel()
	st := newStage(t, calm(time.Now()))
	st.mu.Lock()
	st.deaf = true
	st.mu.Unlock()
	p := open(t, desk, st.URL)
	p.setMute(true)
	p.wait("the banner", says("#lost", "Connection lost")+" && "+says("#verdict", "Not known now; at "), soon)
}

func TestApproveASource(t *testing.T) {
	t.Parallel()
	s := calm(time.Now())
	s.Sources[0].State, s.Sources[0].Held = watch.StateHeld, "its root is empty"
	st := newStage(t, s)
	p := open(t, desk, st.URL)
	p.wait("the verdict", says("#verdict", "1 thing needs you: source www is held"), soon)
	p.click(card("www/*") + " button[data-act=approve]")
	p.wait("the question", says("#dialog[open]", "Approve www?"), soon)
	p.click("#dialog-yes")
	p.wait("what came of it", says("#said", "done: www/*"), soon)
	if got := st.actions(); !slices.Equal(got, []string{"approve www/*"}) {
		t.Errorf("asked for %q", got)
	}
}

// TestWithoutAToken: the page says why there are no buttons.
func TestWithoutAToken(t *testing.T) {
	t.Parallel()
	st := newStage(t, calm(time.Now()))
	st.access = page.Access{}
	p := open(t, look{360, 740, false, "zh-CN,zh", false}, st.URL)
	p.wait("life", `document.querySelector("html[data-js]")`, soon)
	if text := p.text("#access"); text != "只读：如需操作，请设置 http.token_file。" {
		t.Errorf("%q", text)
	}
	if n := eval[int](p, `[...document.querySelectorAll("button[data-act]")].filter(b => b.offsetParent).length`); n != 0 {
		t.Errorf("%d buttons", n)
	}
	p.fits()
	p.shot("calm-360-zh-light")
	q := open(t, desk, st.URL+"/errors#E-AUTH")
	q.shot("errors-1280-en-light")
	q.fits()
	q.readable()
}

// TestFailingEntries are paged and filtered by the API.
func TestFailingEntries(t *testing.T) {
	t.Parallel()
	st := newStage(t, calm(time.Now()))
	for i := range 45 {
		path := names.NewPath(fmt.Sprintf("dir/file%02d", i))
		if i == 44 {
			path = names.NewPath("dir/last\xb1\xa8")
		}
		st.entries = append(st.entries, control.EntryOf{Remote: "bbs/web2", Source: "bbs", Path: path, State: "failing", Attempts: i, ErrorID: "E-DEST-PERM", Message: "no"})
	}
	p := open(t, desk, st.URL)
	shown := func(n int) string { return fmt.Sprintf(`document.querySelectorAll("#failing tr").length === %d`, n) }
	p.wait("the first page", shown(20)+" && "+says("#failing-count", "20 shown of 45"), soon)
	p.click("#failing-more")
	p.wait("the second", shown(40), soon)
	p.click("#failing-more")
	p.wait("the last", shown(45)+` && document.querySelector("#failing-more").hidden`, soon)
	p.run(chromedp.SendKeys(chromedp.CSS("#failing-filter"), "last"))
	p.wait("what has it", shown(1)+" && "+says("#failing", `dir/last\xb1\xa8`), soon)
	p.click("#failing a[data-explain]")
	p.wait("the answer about a name that is no UTF-8", says("#answer", `/data0/bbs/dir/last\xb1\xa8`), soon)
	p.run(chromedp.SendKeys(chromedp.CSS("#failing-filter"), "nothing"))
	p.wait("that nothing has it", shown(0)+" && "+says("#failing-none", "No failing entry has that"), soon)
}

// hide and show pretend that another tab is in front, and is no more.
const (
	hide = `(() => { Object.defineProperty(document, "hidden", { value: true, configurable: true }); document.dispatchEvent(new Event("visibilitychange")); return true; })()`
	show = `(() => { delete document.hidden; document.dispatchEvent(new Event("visibilitychange")); return true; })()`
)

// TestATabInTheBackground says in its title what has come about, and paints nothing.
func TestATabInTheBackground(t *testing.T) {
	t.Parallel()
	st := newStage(t, calm(time.Now()))
	p := open(t, desk, st.URL)
	p.wait("life", `document.querySelector(".rows tr[data-name]").view`, soon)
	eval[bool](p, hide)
	st.set(func(s *status.Status) { s.Remotes[0].State = replicate.StateFailing })
	p.wait("the title", `document.title.startsWith("1 of 7 needs you: www/web1 is failing")`, soon)
	if got := p.text(cell("www/web1", 2)); got != "in sync" {
		t.Errorf("the row was painted: %q", got)
	}
	eval[bool](p, show)
	p.wait("the row", says(cell("www/web1", 2), "failing"), soon)
}
