package browser

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// shots is where screenshots are kept.
const shots = "../../../../build/screenshots"

// chrome is the browser that all tests share; nil until it was started.
var chrome struct {
	sync.Once
	ctx context.Context
	end context.CancelFunc
	err error
}

func startChrome() {
	name := cmp.Or(os.Getenv("GORSYNCD_CHROMIUM"), "chromium")
	path, err := exec.LookPath(name)
	if err != nil {
		chrome.err = fmt.Errorf("the tests of the page need chromium (apt-get install chromium): %w", err)
		return
	}
	opts := append([]chromedp.ExecAllocatorOption{}, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", false), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("lang", "en-US"), chromedp.ExecPath(path))
	alloc, endAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, end := chromedp.NewContext(alloc)
	chrome.ctx, chrome.end = ctx, func() { end(); endAlloc() }
	chrome.err = chromedp.Do(ctx, chromedp.Navigate("about:blank"))
}

// tab is a page of its own, without the cookies of others. What it complains of
// on its console, and what the policy refused, fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu      sync.Mutex
	mute    bool // expected to lose its connection
	trouble []string
}

// How a tab looks at the page.
type look struct {
	wide, high int64
	dark       bool
	lang       string // Accept-Language
	noScript   bool
}

var desk = look{wide: 1280, high: 900, lang: "en-US"}

func open(t *testing.T, l look, address string) *tab {
	t.Helper()
	chrome.Do(startChrome)
	if chrome.err != nil {
		t.Fatal(chrome.err)
	}
	ctx, end := chromedp.NewContext(chrome.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, 120*time.Second)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	call(p, log.Enable, cdp.Empty{})
	call(p, runtime.Enable, cdp.Empty{})
	call(p, page.Enable, page.EnableParams{})
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.wide, Height: l.high, DeviceScaleFactor: 1, Mobile: l.wide < 600})
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	call(p, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome", AcceptLanguage: l.lang})
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.noScript})
	call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `window.refused = []; document.addEventListener("securitypolicyviolation", e => refused.push(e.violatedDirective + " " + e.blockedURI));`})
	p.run(chromedp.Navigate(address))
	t.Cleanup(p.judge)
	return p
}

func (p *tab) listen(ev any) {
	add := func(format string, args ...any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		text := fmt.Sprintf(format, args...)
		// The browser itself logs that a server is gone.
		if p.mute && (strings.Contains(text, "net::ERR_") || strings.Contains(text, "Failed to load resource")) {
			return
		}
		p.trouble = append(p.trouble, text)
	}
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		add("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" {
			add("console %s: %v", e.Type, e.Args)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Source == "security" {
			add("log %s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		add("a dialog opened: %s", e.Message)
	}
}

// judge fails the test for what the tab complained of.
func (p *tab) judge() {
	if refused, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]string](`window.refused ?? []`)); err == nil && len(refused) > 0 {
		p.t.Errorf("the policy refused: %q", refused)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.trouble {
		p.t.Errorf("browser: %s", text)
	}
}

func (p *tab) setMute(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = on
}

func (p *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// call runs a command of the protocol.
func call[P, R any](p *tab, cmd cdp.Command[P, R], params P) R {
	p.t.Helper()
	r, err := chromedp.Call(p.ctx, cmd, params)
	if err != nil {
		p.t.Fatalf("%s: %v", cmd.Method, err)
	}
	return r
}

// eval evaluates an expression, or awaits the promise that it is.
func eval[T any](p *tab, js string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// wait polls until an expression is true.
func (p *tab) wait(what, js string, limit time.Duration) {
	p.t.Helper()
	deadline := time.Now().Add(limit)
	for !eval[bool](p, "Boolean("+js+")") {
		if time.Now().After(deadline) {
			p.shot("failed-" + strings.ReplaceAll(p.t.Name(), "/", "-"))
			p.t.Fatalf("waited %s for %s; the page:\n%s", limit, what, p.text("body"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// text is what can be read in an element.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf("document.querySelector(%q)?.innerText ?? '(nothing)'", selector))
}

// click presses the button that a selector finds.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.wait("a button at "+selector, fmt.Sprintf(`(() => { const b = document.querySelector(%q); return b && !b.disabled && b.offsetParent; })()`, selector), 10*time.Second)
	p.run(chromedp.Click(chromedp.CSS(selector)))
}

// shot keeps a picture of the whole page.
func (p *tab) shot(name string) {
	p.t.Helper()
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Errorf("screenshot: %v", err)
		return
	}
	if err := os.MkdirAll(shots, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shots, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// fits fails when the page is wider than the window.
func (p *tab) fits() {
	p.t.Helper()
	if over := eval[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		p.t.Errorf("the page is %d pixels too wide: %s", over, eval[string](p, `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.closest(".scroll,dialog,.symbols,.sr")).slice(0, 5).map(e => e.outerHTML.slice(0, 120)).join("\n")`))
	}
}

// readable fails for text with a contrast below 4.5 to 1 to what it stands on.
func (p *tab) readable() {
	p.t.Helper()
	poor := eval[[]string](p, `(() => {
		const rgb = s => { const [r, g, b, a = 1] = s.match(/[\d.]+/g).map(Number); return { r, g, b, a }; };
		const light = ({ r, g, b }) => { const f = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
		const under = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.a === 1) return c; } return { r: 255, g: 255, b: 255 }; };
		const poor = new Set();
		for (const e of document.querySelectorAll("body *")) {
			const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
			if (!own && e.tagName !== "INPUT" || !e.offsetParent || e.closest(".sr,noscript,template")) continue;
			const a = light(rgb(getComputedStyle(e, e.tagName === "INPUT" ? "::placeholder" : null).color)), b = light(under(e));
			const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
			if (ratio < 4.5) poor.add(ratio.toFixed(2) + " " + e.tagName + "." + e.className);
		}
		return [...poor];
	})()`)
	for _, what := range poor {
		p.t.Errorf("too little contrast: %s", what)
	}
}
