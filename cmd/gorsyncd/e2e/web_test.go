package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
	"gorsyncd/cmd/gorsyncd/internal/shape"
)

const webToken = "an example of a token, spelled out"

// web is the API of a daemon on TCP.
type web struct {
	*rig
	addr, token string
}

// newWeb is a rig with http.listen on an unused port.
func newWeb(t *testing.T, yaml string) *web {
	t.Helper()
	w := &web{addr: fmt.Sprintf("127.0.0.1:%d", unusedPort(t)), token: strings.ReplaceAll(webToken, " ", "-")}
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte(w.token+"\n"), 0o600))
	w.rig = newRig(t, yaml+fmt.Sprintf("\nhttp: {listen: %q, token_file: %q}\n", w.addr, file))
	return w
}

// ask makes a request with the token and reads the document that it is answered with.
func (w *web) ask(method, path, body string, into any) (code int, text string) {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://"+w.addr+path, strings.NewReader(body))
	must(w.t, err)
	req.Header.Set("Authorization", "Bearer "+w.token)
	resp, err := (&http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(w.t, err)
	if into != nil {
		if resp.StatusCode != http.StatusOK {
			w.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, b)
		}
		must(w.t, json.Unmarshal(b, into))
	}
	return resp.StatusCode, string(b)
}

// eventReader reads the events of a daemon as a browser does.
type eventReader struct {
	id    string // of the last event
	paths map[string]bool
	seq   uint64 // of the last entry
	told  int    // entries
}

// read follows from the last event until enough says so, or the daemon is gone.
func (f *eventReader) read(w *web, enough func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+w.addr+"/api/v1/events?last=0", nil)
	must(w.t, err)
	req.Header.Set("Accept", "text/event-stream")
	if f.id != "" {
		req.Header.Set("Last-Event-ID", f.id)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return // it does not run, or not any more
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		w.t.Fatalf("events: %d %s", resp.StatusCode, b)
	}
	id, data := "", ""
	for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
		key, value, _ := strings.Cut(scan.Text(), ": ")
		switch {
		case key == "id":
			id = value
		case key == "data":
			data = value
		case scan.Text() == "" && data != "":
			f.take(w, id, data)
			if data = ""; enough() {
				return
			}
		}
	}
}

func (f *eventReader) take(w *web, id, data string) {
	var line struct {
		Event, Path string
		Seq         uint64
	}
	must(w.t, json.Unmarshal([]byte(data), &line))
	if id != "" {
		f.id = id
	}
	switch {
	case line.Event == "gap":
		w.t.Errorf("a gap: %s", data)
	case line.Event == "entry":
		if line.Seq <= f.seq {
			w.t.Errorf("#%d was told after #%d", line.Seq, f.seq)
		}
		f.seq, f.paths[line.Path] = line.Seq, true
		f.told++
	}
}

// TestEventsGoOnAfterRestarts: a reader with the id of its last event misses nothing and
// is told nothing twice, whether the daemon was killed or stopped, or reading broke off.
func TestEventsGoOnAfterRestarts(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	w := newWeb(t, oneRemote(src, dst, ""))
	w.start()
	w.waitSync(20 * time.Second)
	f := &eventReader{paths: map[string]bool{}}
	f.read(w, func() bool { return f.id != "" })
	n, written := 0, []string{}
	more := func(count int) {
		for range count {
			name := fmt.Sprintf("f%04d", n)
			write(t, filepath.Join(src, name), name)
			written = append(written, name)
			n++
		}
	}
	for round := range 4 {
		more(40)
		half := f.told + 20
		f.read(w, func() bool { return f.told >= half }) // breaks off in the middle
		if round%2 == 0 {
			w.kill9()
		} else {
			w.stop()
		}
		more(20) // while it is down
		w.start()
		more(5)
	}
	missing := func() (out []string) {
		for _, name := range written {
			if !f.paths[name] {
				out = append(out, name)
			}
		}
		return out
	}
	for end := time.Now().Add(30 * time.Second); len(missing()) > 0 && time.Now().Before(end); {
		f.read(w, func() bool { return len(missing()) == 0 })
	}
	if m := missing(); len(m) > 0 {
		t.Errorf("never told: %q", m)
	}
}

// TestAPortInUseKeepsNothingFromRunning: it is said, and tried again.
func TestAPortInUseKeepsNothingFromRunning(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	w := newWeb(t, oneRemote(src, dst, ""))
	other, err := net.Listen("tcp", w.addr)
	must(t, err)
	defer other.Close()
	w.start()
	write(t, filepath.Join(src, "f"), "content")
	w.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, 5*time.Second)
	type httpDoc struct {
		Daemon struct {
			HTTP struct {
				State   string `json:"state"`
				ErrorID string `json:"error_id"`
				Error   string `json:"error"`
			} `json:"http"`
		} `json:"daemon"`
	}
	state := func() (doc httpDoc) {
		must(t, json.Unmarshal([]byte(w.mustCLI("status", "--json")), &doc))
		return doc
	}
	if h := state().Daemon.HTTP; h.State != "failing" || h.ErrorID != "E-HTTP-LISTEN" || !strings.Contains(h.Error, "in use") {
		t.Errorf("%+v", h)
	}
	contains(t, w.mustCLI("status"), "E-HTTP-LISTEN")
	must(t, other.Close())
	w.waitFor("the page to be served", 30*time.Second, func() bool { return state().Daemon.HTTP.State == "listening" })
	if code, text := w.ask("GET", "/api/v1/status", "", nil); code != http.StatusOK {
		t.Errorf("%d %s", code, text)
	}
}

// TestHeldAndApprovedOverHTTP: with the first names, and not without the token.
func TestHeldAndApprovedOverHTTP(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	fill(t, src, 300)
	write(t, filepath.Join(src, "keep"), "so that the source is not empty")
	w := newWeb(t, oneRemote(src, dst, "defaults: {guard: {max_delete: 10}}"))
	w.start()
	w.flush(30 * time.Second)
	var held struct {
		Reason string
		Count  *int
		First  []struct{ Path string }
	}
	w.ask("GET", "/api/v1/remotes/src/r/held", "", &held)
	if held.Reason != "" || held.First == nil {
		t.Errorf("before: %+v", held)
	}
	for i := range 10 {
		must(t, os.RemoveAll(filepath.Join(src, fmt.Sprintf("d%d", i))))
	}
	w.waitState("src/r", "held", 20*time.Second)
	// Up to ten may have gone before there were too many.
	w.waitFor("all that the copy still has of 300 files and 10 directories to be counted", 20*time.Second, func() bool {
		left, err := filepath.Glob(filepath.Join(dst, "d*"))
		must(t, err)
		files, err := filepath.Glob(filepath.Join(dst, "d*", "*"))
		must(t, err)
		w.ask("GET", "/api/v1/remotes/src/r/held", "", &held)
		return held.Count != nil && *held.Count == len(left)+len(files) && *held.Count >= 300
	})
	if !strings.HasPrefix(held.Reason, "G-MAXDELETE") || len(held.First) == 0 || len(held.First) > 20 {
		t.Errorf("%+v", held)
	}
	for _, p := range held.First {
		if _, err := os.Lstat(filepath.Join(src, p.Path)); !strings.HasPrefix(p.Path, "d") || err == nil {
			t.Errorf("%s is held back: %v", p.Path, err)
		}
	}
	resp, err := http.Post("http://"+w.addr+"/api/v1/remotes/src/r/approve", "application/json", nil)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the token: %s", resp.Status)
	}
	w.waitState("src/r", "held", time.Second)
	var done struct{ Affected []string }
	if w.ask("POST", "/api/v1/remotes/src/r/approve", "", &done); len(done.Affected) != 1 {
		t.Errorf("%+v", done)
	}
	w.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, 5*time.Second)
}

// TestEntriesArePaged: each path that waits is on one page.
func TestEntriesArePaged(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	w := newWeb(t, fmt.Sprintf("sources:\n  - path: %q\n    remotes:\n      - {name: r, target: %q}\n      - {name: away, target: '127.0.0.1::none', full_sync: {on_start: never}, retry: {max: 1s}}\n", src, dst))
	w.start()
	w.waitState("src/r", "in_sync", 20*time.Second)
	fill(t, src, 500)
	w.flush(20*time.Second, "--remote", "r")
	for _, q := range []struct {
		query string
		want  int
	}{{"limit=37", 500}, {"limit=1000", 500}, {"contains=/7", 60}, {"contains=nothing", 0}, {"remote=src/r", 0}} {
		seen := map[string]bool{}
		after, pages := "", 0
		for {
			var page struct {
				Entries []struct{ Remote, Path, State string }
				Next    string
			}
			w.ask("GET", "/api/v1/entries?state=queued&"+q.query+"&after="+url.QueryEscape(after), "", &page)
			for _, e := range page.Entries {
				if key := e.Remote + " " + e.Path; seen[key] || e.State != "queued" || e.Remote != "src/away" {
					t.Errorf("%s: %+v", q.query, e)
				} else if strings.Contains(e.Path, "/") { // not the directories
					seen[key] = true
				}
			}
			if pages++; page.Next == "" || pages > 100 {
				break
			}
			after = page.Next
		}
		if q.want == 60 {
			q.want = count(500, func(i int) bool { return strings.HasPrefix(fmt.Sprint(i), "7") })
		}
		if len(seen) != q.want {
			t.Errorf("%s: %d entries on %d pages, want %d", q.query, len(seen), pages, q.want)
		}
	}
	if code, text := w.ask("GET", "/api/v1/entries?after=nonsense", "", nil); code != http.StatusBadRequest {
		t.Errorf("%d %s", code, text)
	}
}

func count(n int, is func(int) bool) (found int) {
	for i := range n {
		if is(i) {
			found++
		}
	}
	return found
}

// TestReloadOfHTTP: the listener moves, the token changes, and replication notices
// nothing of it.
func TestReloadOfHTTP(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	w := newWeb(t, oneRemote(src, dst, ""))
	w.start()
	w.waitSync(20 * time.Second)
	before := w.addr
	text, err := os.ReadFile(w.config)
	must(t, err)
	w.addr = fmt.Sprintf("127.0.0.1:%d", unusedPort(t))
	must(t, os.WriteFile(w.config, []byte(strings.Replace(string(text), before, w.addr, 1)), 0o600))
	contains(t, w.mustCLI("reload"), before+" → "+w.addr, "src/r: unchanged")
	w.waitFor("the new address", 10*time.Second, func() bool {
		code, _ := w.ask("GET", "/api/v1/status", "", nil)
		return code == http.StatusOK
	})
	if conn, err := net.Dial("tcp", before); err == nil {
		conn.Close()
		t.Errorf("%s is still served", before)
	}
	// A token that others can read is refused, with its place, and changes nothing.
	_, file, _ := strings.Cut(string(text), "token_file: \"")
	file, _, _ = strings.Cut(file, "\"")
	must(t, os.Chmod(file, 0o644))
	out, errOut, code := w.cli("reload")
	if code != 78 {
		t.Errorf("reload: exit %d", code)
	}
	contains(t, out+errOut, "gorsyncd.yaml:", "http.token_file", "chmod 600")
	if code, text := w.ask("POST", "/api/v1/remotes/src/r/retry", "", nil); code != http.StatusOK {
		t.Errorf("%d %s", code, text)
	}
	must(t, os.Chmod(file, 0o600))
	must(t, os.WriteFile(file, []byte("another-token-of-some-length"), 0o600))
	contains(t, w.mustCLI("reload"), "src/r: unchanged")
	w.waitFor("the old token to be refused", 10*time.Second, func() bool {
		code, _ := w.ask("POST", "/api/v1/remotes/src/r/retry", "", nil)
		return code == http.StatusUnauthorized
	})
	w.token = "another-token-of-some-length"
	if code, text := w.ask("POST", "/api/v1/remotes/src/r/retry", "", nil); code != http.StatusOK {
		t.Errorf("%d %s", code, text)
	}
	write(t, filepath.Join(src, "f"), "content")
	w.flush(20 * time.Second)
	if st := w.status().remote(t, "src/r"); st.LastFull == "" || st.State != "in_sync" {
		t.Errorf("%+v", st)
	}
}

// TestAnswersOfADaemonAreAsDescribed: of remotes that are in sync, held, paused and
// away, and of a path that fails.
func TestAnswersOfADaemonAreAsDescribed(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	src, good, held := mkdir(t, base, "src"), mkdir(t, base, "good"), mkdir(t, base, "held")
	fill(t, src, 30)
	write(t, filepath.Join(src, "bad\xff\x1b"), "x")
	w := newWeb(t, "sources:\n  - path: "+src+"\n    remotes:\n      - "+good+"\n      - {name: held, target: "+held+", guard: {max_delete: 2}}\n"+
		"      - {name: away, target: 'localhost::none', retry: {max: 1s}, rsync: {connect_timeout: 1s}}\n    sinks: [{name: hook, command: [/bin/false]}]\n")
	w.start()
	w.flush(20*time.Second, "--remote", "good", "--remote", "held")
	must(t, os.RemoveAll(filepath.Join(src, "d3")))
	w.waitState("src/held", "held", 20*time.Second)
	_, text := w.ask("GET", "/api/v1/openapi.json", "", nil)
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]struct{ Schema any }
			}
		}
		Components any
	}
	must(t, json.Unmarshal([]byte(text), &doc))
	for _, q := range []struct{ method, path, request, body string }{
		{"GET", "/status", "/status", ""}, {"GET", "/lag", "/lag", ""}, {"GET", "/entries", "/entries", ""}, {"GET", "/entries", "/entries?state=queued", ""},
		{"GET", "/remotes/{source}/{remote}", "/remotes/src/held", ""}, {"GET", "/remotes/{source}/{remote}", "/remotes/src/hook", ""},
		{"GET", "/remotes/{source}/{remote}/held", "/remotes/src/held/held", ""}, {"GET", "/remotes/{source}/{remote}/held", "/remotes/src/hook/held", ""},
		{"GET", "/explain", "/explain?path=" + url.QueryEscape(src+"/d1/1"), ""}, {"GET", "/config", "/config", ""}, {"GET", "/journal/stats", "/journal/stats", ""},
		{"POST", "/report", "/report", `{}`}, {"POST", "/remotes/{source}/{remote}/pause", "/remotes/src/hook/pause", ""},
		{"POST", "/remotes/{source}/{remote}/resume", "/remotes/src/hook/resume", "{}"}, {"POST", "/remotes/{source}/{remote}/retry", "/remotes/src/away/retry", ""},
		{"POST", "/remotes/{source}/{remote}/full-sync", "/remotes/src/good/full-sync", `{"checksum":true}`}, {"POST", "/remotes/{source}/{remote}/verify", "/remotes/src/good/verify", ""},
		{"POST", "/reload", "/reload", `{"dry_run":true}`},
	} {
		schema := doc.Paths["/api/v1"+q.path][strings.ToLower(q.method)].Responses["200"].Content["application/json"].Schema
		if schema == nil {
			t.Errorf("%s %s is not described", q.method, q.path)
			continue
		}
		strict, err := json.Marshal(map[string]any{"allOf": []any{schema}, "components": doc.Components})
		must(t, err)
		check, err := shape.NewStrict(strict)
		must(t, err)
		code, answer := w.ask(q.method, "/api/v1"+q.request, q.body, nil)
		if code != http.StatusOK {
			t.Errorf("%s %s: %d %s", q.method, q.request, code, answer)
		} else if err := check.Lines(answer); err != nil {
			t.Errorf("%s %s: %v", q.method, q.request, err)
		}
	}
	if code, page := w.ask("GET", "/", "", nil); code != http.StatusOK || !strings.Contains(page, "src/held") || strings.Contains(page, "\x1b") {
		t.Errorf("the page: %d %.300s", code, page)
	}
}
