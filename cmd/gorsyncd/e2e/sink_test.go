package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestPurgeComesAfterTheFile: when a CDN is told to fetch a file anew, the file is on
// the remote, with its new content.
func TestPurgeComesAfterTheFile(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	var want atomic.Value // content of the page
	want.Store("")
	purged := make(chan string, 100)
	cdn := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/site/page 1.html" {
			if b, err := os.ReadFile(filepath.Join(dst, "page 1.html")); err != nil || string(b) != want.Load().(string) {
				t.Errorf("purged before it was there: %v %q, not %q", err, b, want.Load())
			}
		}
		purged <- req.Method + " " + req.URL.RequestURI()
	}))
	t.Cleanup(cdn.Close)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	r := newRig(t, oneRemote(src, d.Target("m"), "    sinks:\n      - {name: cdn, when: acked, gather: 0s, cdn: {site: "+cdn.URL+"/site}}\n"))
	r.start()
	r.flush(20 * time.Second)
	for i := range 20 {
		text := fmt.Sprintf("version %d", i)
		want.Store(text)
		// Whole at once: what is there while it is written would be purged for, too.
		page := filepath.Join(filepath.Dir(src), "page")
		write(t, page, text)
		must(t, os.Rename(page, filepath.Join(src, "page 1.html")))
		select {
		case got := <-purged:
			if got != "PURGE /site/page%201.html" {
				t.Errorf("purged %s", got)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("version %d was never purged", i)
		}
	}
	// A remote that stands still holds the purge up, and status says so.
	r.mustCLI("pause", "src/r")
	write(t, filepath.Join(src, "other"), "x")
	r.waitFor("the sink to wait", 10*time.Second, func() bool {
		out, _, _ := r.cli("status")
		return strings.Contains(out, "waits for src/r")
	})
	write(t, filepath.Join(src, "dir/a"), "x")
	write(t, filepath.Join(src, "dir/b"), "x")
	r.mustCLI("resume", "src/r")
	r.waitSync(20 * time.Second)
	must(t, os.RemoveAll(filepath.Join(src, "dir")))
	count := map[string]int{}
	r.waitFor("all to be purged", 20*time.Second, func() bool {
		for len(purged) > 0 {
			count[<-purged]++
		}
		return count["PURGE /site/other"] > 0 && count["PURGE /site/dir/"] > 0 && count["PURGE /site/dir/a"] > 1 && count["PURGE /site/dir/b"] > 1
	})
	r.waitSync(20 * time.Second)
}

// TestSinkOperation: pause, failures, retry, reload, and what is seen of a sink with and
// without the daemon.
func TestSinkOperation(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	out := filepath.Join(t.TempDir(), "out")
	hook := filepath.Join(t.TempDir(), "hook")
	must(t, os.WriteFile(hook, []byte("#!/bin/sh\ntr '\\0' '\\n' >>"+out+"\n"), 0o700))
	config := func(argv string) string {
		return "sources:\n  - {name: src, path: " + src + ", remotes: [{name: r, target: " + dst + "}], sinks: [{name: hook, gather: 0s, retry: {initial: 1h, max: 1h}, command: " + argv + "}]}\n"
	}
	r := newRig(t, config("["+hook+"]"))
	r.start()
	r.flush(20 * time.Second)
	told := func(what string) {
		t.Helper()
		r.waitFor("the hook to be told of "+what, 10*time.Second, func() bool {
			b, _ := os.ReadFile(out)
			return strings.Contains(string(b), filepath.Join(src, what)+"\n")
		})
	}
	write(t, filepath.Join(src, "one"), "x")
	told("one")

	write(t, filepath.Join(src, "more"), "x")
	contains(t, r.mustCLI("flush", "--sinks"), "src/r", "src/hook")
	if b, err := os.ReadFile(out); err != nil || !strings.Contains(string(b), "/more\n") {
		t.Errorf("flush --sinks did not wait: %v %s", err, b)
	}
	contains(t, r.mustCLI("pause", "src/hook", "--reason", "tests"), "src/hook")
	write(t, filepath.Join(src, "two"), "x")
	r.flush(10 * time.Second) // remotes only
	if _, errOut, code := r.cli("flush", "--sinks", "--timeout", "300ms"); code != 3 || !strings.Contains(errOut, "src/hook 1 entries behind, paused") {
		t.Errorf("flush --sinks: exit %d: %s", code, errOut)
	}
	r.waitState("src/hook", "paused", 10*time.Second)
	text, _, code := r.cli("status")
	if code != 3 {
		t.Errorf("status: exit %d", code)
	}
	contains(t, text, "src/hook  paused", "tests")
	r.stop()
	text, _, _ = r.cli("status")
	contains(t, text, "src/hook  paused")
	contains(t, r.mustCLI("journal", "inspect", "--remote", "src/hook", "--state", "queued"), "two", "src/hook")
	r.start()
	r.mustCLI("resume", "src/hook")
	told("two")

	r.setConfig(config("[" + hook + "-gone]"))
	contains(t, r.mustCLI("reload"), "src/hook: changed, cursor kept")
	write(t, filepath.Join(src, "three"), "x")
	if st := r.waitState("src/hook", "failing", 10*time.Second); st.Error == nil || st.Error.ID != "E-SINK-EXEC" {
		t.Errorf("status: %+v", st)
	}
	if _, _, code := r.cli("status", "-q"); code != 4 {
		t.Errorf("status -q: exit %d", code)
	}
	text, _, code = r.cli("check")
	if code != 2 {
		t.Errorf("check: exit %d: %s", code, text)
	}
	contains(t, text, "src/hook failing", "E-SINK-EXEC")
	must(t, os.Rename(hook, hook+"-gone"))
	r.mustCLI("retry", "src/hook")
	told("three")
	r.waitSync(10 * time.Second)
	contains(t, r.mustCLI("status"), "1 remote and 1 sink in sync")

	r.setConfig("sources:\n  - {name: src, path: " + src + ", remotes: [{name: r, target: " + dst + "}]}\n")
	contains(t, r.mustCLI("reload"), "src/hook: removed")
	if st := r.status(); len(st.Sinks) != 0 {
		t.Errorf("still there: %+v", st)
	}
}

// TestOnlySinks: a source without any remote.
func TestOnlySinks(t *testing.T) {
	t.Parallel()
	src := mkdir(t, t.TempDir(), "src")
	got := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		got <- string(b)
	}))
	t.Cleanup(srv.Close)
	r := newRig(t, "sources:\n  - {name: src, path: "+src+", sinks: [{name: old, http: {url: "+srv.URL+"}, format: sersync}]}\n")
	r.start()
	r.waitFor("the first scan", 10*time.Second, func() bool { return r.status().Sources[0].State == "watching" })
	write(t, filepath.Join(src, "a"), "x")
	select {
	case body := <-got:
		contains(t, body, "isdir=0", "mask=8", "inotifyPath=")
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
	}
	r.waitSync(10 * time.Second)
	contains(t, r.mustCLI("status"), "1 sink in sync")
}
