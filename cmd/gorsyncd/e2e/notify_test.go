package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// mailbox is what a receiver of notifications got.
type mailbox struct {
	mu       sync.Mutex
	messages []string
	beats    int
}

func (r *mailbox) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.messages...)
}

func (r *mailbox) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.beats
}

func (r *mailbox) take(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, text)
}

func (r *mailbox) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	if req.URL.Path == "/beat" {
		r.mu.Lock()
		r.beats++
		r.mu.Unlock()
		return
	}
	var m struct {
		Kind                string
		Problems, Recovered []struct {
			Subject, Kind string
			ErrorID       string `json:"error_id"`
		}
	}
	if err := json.NewDecoder(req.Body).Decode(&m); err != nil {
		r.take(err.Error())
		return
	}
	text := m.Kind + ":"
	for _, p := range m.Problems {
		text += fmt.Sprintf(" %s %s %s", p.Subject, p.Kind, p.ErrorID)
	}
	for _, p := range m.Recovered {
		text += fmt.Sprintf(" %s %s is over", p.Subject, p.Kind)
	}
	r.take(text)
}

// TestNotifications: a remote goes away and comes back. That is one message and one
// more, whatever happens to the daemon meanwhile: a reload, a kill, a receiver that
// hangs, which holds up nothing.
func TestNotifications(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	near := mkdir(t, t.TempDir(), "near")
	var ops mailbox
	receiver := httptest.NewServer(&ops)
	t.Cleanup(receiver.Close)
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(release) })
	crashes := filepath.Join(t.TempDir(), "crashes")
	hook := filepath.Join(t.TempDir(), "hook")
	must(t, os.WriteFile(hook, []byte("#!/bin/sh\ncat >> "+crashes+"\n"), 0o700))
	urlFile := filepath.Join(t.TempDir(), "url")
	must(t, os.WriteFile(urlFile, []byte(receiver.URL+"/hook/SECRETTOKEN\n"), 0o600))

	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	r := newRig(t, fmt.Sprintf(`sources:
  - path: %q
    name: src
    remotes: [{name: r, target: %q}, {name: near, target: %q}]
defaults: {retry: {initial: 100ms, max: 500ms}}
notify:
  - {name: ops, on: [failing, held, retrying, recovered], after: 0s, grace: 1s, webhook: {url_file: %s}}
  - {name: stuck, after: 0s, grace: 1s, timeout: 10m, webhook: "%s/SECRETTOKEN"}
  - {name: crash, on: [crash], command: [%s]}
  - {heartbeat: 1s, webhook: "%s/beat"}
`, src, d.Target("m"), near, urlFile, hanging.URL, hook, receiver.URL))
	contains(t, r.mustCLI("notify", "test", "ops"), "ops (json", "delivered: 200 OK")
	r.start()
	write(t, filepath.Join(src, "a"), "x")
	r.flush(20 * time.Second)
	r.waitFor("a heartbeat", 20*time.Second, func() bool { return ops.count() > 0 })

	const lost, over = "problem: src/r retrying E-CONNECT", "recovered: src/r retrying is over"
	d.Stop()
	write(t, filepath.Join(src, "b"), "x")
	r.waitFor("the outage to be told", 30*time.Second, func() bool { return len(ops.all()) > 1 })
	r.waitFor("the other receiver to hang", 20*time.Second, func() bool {
		out, _, _ := r.cli("status", "--json")
		return strings.Contains(out, `"waiting":1`)
	})
	write(t, filepath.Join(src, "c"), "x")
	r.flush(10*time.Second, "--remote", "src/near") // while it hangs
	contains(t, r.mustCLI("reload"), "notify ops: unchanged")

	r.kill9()
	r.start()
	r.waitFor("the kill to be told", 20*time.Second, func() bool {
		b, _ := os.ReadFile(crashes)
		return strings.Count(string(b), `"kind":"crash"`) == 1
	})
	must(t, d.Start())
	r.mustCLI("retry", "src/r")
	r.flush(20 * time.Second)
	r.waitFor("the end to be told", 30*time.Second, func() bool { return len(ops.all()) > 2 })
	r.stop()
	if got, want := strings.Join(ops.all(), "\n"), strings.Join([]string{"test:", lost, over}, "\n"); got != want {
		t.Errorf("told:\n%s\nwant:\n%s", got, want)
	}
	b, err := os.ReadFile(crashes)
	must(t, err)
	if n := strings.Count(string(b), "\n"); n != 1 {
		t.Errorf("told of %d crashes:\n%s", n, b)
	}
	log, err := os.ReadFile(r.log)
	must(t, err)
	shown, _, _ := r.cli("config", "show")
	for what, text := range map[string]string{"the log": string(log), "config show": shown} {
		if strings.Contains(text, "SECRETTOKEN") {
			t.Errorf("a secret is in %s", what)
		}
	}
}
