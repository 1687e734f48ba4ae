package sink

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

var limits = Limits{Timeout: 10 * time.Second}

// events are changes of paths; one that ends with "/" is a directory, one that begins
// with "-" is gone.
func events(paths ...string) []Event {
	var out []Event
	for i, p := range paths {
		e := Event{ID: fmt.Sprintf("j-www-%d", i+1), Seq: uint64(i + 1), Op: OpChange, Source: "www", Type: "file"}
		if rest, ok := strings.CutPrefix(p, "-"); ok {
			p, e.Op, e.Type = rest, OpRemove, ""
		}
		if rest, ok := strings.CutSuffix(p, "/"); ok {
			p, e.isDir = rest, true
		}
		e.rel, e.Path = p, names.NewPath(p)
		out = append(out, e)
	}
	return out
}

func expect(t *testing.T, res Result, class replicate.Class, id, text string, left ...int) {
	t.Helper()
	if res.Class != class || res.ID != id || !strings.Contains(res.Message, text) || !slices.Equal(res.Left, left) {
		t.Errorf("%s %s %q %v, want %s %s %q %v", res.Class, res.ID, res.Message, res.Left, class, id, text, left)
	}
}

func script(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "hook")
	check(t, os.WriteFile(p, []byte("#!/bin/sh\n"+text), 0o700))
	return p
}

func TestCommand(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	c := &Command{Argv: []string{script(t, `cat >"$1"; env | grep ^GORSYNCD_ | sort >>"$1"`), out}, Limits: limits, Source: "www", Sink: "hook", Root: "/data"}
	t.Setenv("NOTIFY_SOCKET", "/x")
	expect(t, c.Deliver(t.Context(), events("a b", "-c\n'$(x)", "gb\xb2k")), replicate.ClassOK, "", "")
	b, err := os.ReadFile(out)
	check(t, err)
	want := "/data/a b\x00/data/c\n'$(x)\x00/data/gb\xb2k\x00GORSYNCD_EVENTS=3\nGORSYNCD_FIRST_ID=j-www-1\nGORSYNCD_ROOT=/data\nGORSYNCD_SINK=hook\nGORSYNCD_SOURCE=www\n"
	if string(b) != want {
		t.Errorf("got  %q\nwant %q", b, want)
	}
	c.JSON = true
	expect(t, c.Deliver(t.Context(), events("a", "gb\xb2k")), replicate.ClassOK, "", "")
	b, err = os.ReadFile(out)
	check(t, err)
	first, rest, _ := strings.Cut(string(b), "\n")
	var e Event
	check(t, json.Unmarshal([]byte(first), &e))
	if e.ID != "j-www-1" || e.Text != "a" || !strings.Contains(rest, `"path_b64":"Z2Kyaw=="`) {
		t.Errorf("%s", b)
	}
}

// TestCommandPerPath: one run for each, and no name becomes anything but an argument.
func TestCommandPerPath(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	c := &Command{Argv: []string{script(t, `case $2 in */bad*) exit 3;; */later*) exit 75;; esac; printf '%s %s %s\n' "$#" "$2" "$GORSYNCD_OP" >>"$1"`), out, "{path}"},
		Limits: limits, Source: "www", Sink: "hook", Root: "/data"}
	expect(t, c.Deliver(t.Context(), events("a; touch "+dir+"/x", "bad1", "-b", "bad2")), replicate.ClassEntry, idExit, "exit 3", 1, 3)
	b, err := os.ReadFile(out)
	check(t, err)
	if want := "2 /data/a; touch " + dir + "/x change\n2 /data/b remove\n"; string(b) != want {
		t.Errorf("%q", b)
	}
	expect(t, c.Deliver(t.Context(), events("a", "bad", "later", "b")), replicate.ClassTransient, idLater, "75", 1, 2, 3)
}

func TestCommandFails(t *testing.T) {
	run := func(text string) Result {
		c := &Command{Argv: []string{script(t, text)}, Limits: Limits{Timeout: time.Second}, Root: "/"}
		return c.Deliver(t.Context(), events("a"))
	}
	expect(t, run("echo first; echo it hurts >&2; exit 1"), replicate.ClassEntry, idExit, "exit 1: it hurts")
	expect(t, run("exit 75"), replicate.ClassTransient, idLater, "75")
	expect(t, run("exit 127"), replicate.ClassConfig, idExec, "127")
	expect(t, run("kill -9 $$"), replicate.ClassTransient, idExit, "signal")
	start := time.Now()
	expect(t, run("sleep 100 & sleep 100"), replicate.ClassTransient, idSlow, "in time")
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("ended after %s", d)
	}
	c := &Command{Argv: []string{"/nowhere/hook"}, Limits: limits}
	expect(t, c.Deliver(t.Context(), events("a")), replicate.ClassConfig, idExec, "no such file")
}

// web is a server that notes what it gets.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string // method, path and query
	bodies []string
	heads  []http.Header
	answer func(w http.ResponseWriter, r *http.Request, body string)
}

func newServer(t *testing.T) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.got, s.bodies, s.heads = append(s.got, r.Method+" "+r.URL.RequestURI()), append(s.bodies, string(b)), append(s.heads, r.Header)
		s.mu.Unlock()
		if s.answer != nil {
			s.answer(w, r, string(b))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestHTTP(t *testing.T) {
	s := newServer(t)
	secret := filepath.Join(t.TempDir(), "secret")
	check(t, os.WriteFile(secret, []byte("geheim\n"), 0o600))
	heads := filepath.Join(t.TempDir(), "headers")
	check(t, os.WriteFile(heads, []byte("# for the search engine\nAuthorization: Bearer t0ken\n"), 0o600))
	h := &HTTP{URL: s.URL + "/hook?k=v", Method: "POST", Headers: []string{"X-One: 1"}, HeadersFile: heads, SecretFile: secret, Limits: limits, Source: "www", Sink: "post", Root: "/data"}
	expect(t, h.Deliver(t.Context(), events("a", "-b")), replicate.ClassOK, "", "")
	var doc struct {
		V                  int
		Source, Sink, Root string
		Events             []Event
	}
	check(t, json.Unmarshal([]byte(s.bodies[0]), &doc))
	if doc.V != 1 || doc.Source != "www" || doc.Sink != "post" || doc.Root != "/data" || len(doc.Events) != 2 || doc.Events[1].Op != OpRemove || doc.Events[1].ID != "j-www-2" {
		t.Errorf("%s", s.bodies[0])
	}
	head := s.heads[0]
	if s.got[0] != "POST /hook?k=v" || head.Get("Authorization") != "Bearer t0ken" || head.Get("X-One") != "1" || head.Get("Content-Type") != "application/json" ||
		head.Get(SignatureHeader) != "sha256="+Sign("geheim", []byte(s.bodies[0])) {
		t.Errorf("%s %v", s.got[0], head)
	}
	if got := h.String(); strings.Contains(got, "k=v") {
		t.Errorf("shown as %s", got)
	}
	check(t, os.Chmod(secret, 0o644))
	expect(t, h.Deliver(t.Context(), events("a")), replicate.ClassConfig, idSecret, "chmod 600")
}

func TestHTTPStatus(t *testing.T) {
	s := newServer(t)
	code := 0
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(code)
		fmt.Fprint(w, "because\x1b[31m of this\n")
	}
	h := &HTTP{URL: s.URL, Method: "POST", Limits: Limits{Timeout: time.Second}}
	for _, c := range []struct {
		code  int
		class replicate.Class
	}{
		{200, replicate.ClassOK}, {204, replicate.ClassOK}, {302, replicate.ClassConfig}, {308, replicate.ClassConfig}, {400, replicate.ClassEntry},
		{401, replicate.ClassConfig}, {404, replicate.ClassEntry}, {413, replicate.ClassEntry}, {429, replicate.ClassTransient}, {500, replicate.ClassTransient}, {503, replicate.ClassTransient},
	} {
		code = c.code
		res := h.Deliver(t.Context(), events("a"))
		if res.Class != c.class || strings.ContainsRune(res.Message, 0x1b) {
			t.Errorf("%d: %s %q", c.code, res.Class, res.Message)
		}
		if c.class == replicate.ClassTransient && res.After != 7*time.Second {
			t.Errorf("%d: after %s", c.code, res.After)
		}
	}
	if len(s.got) != 11 {
		t.Errorf("%d requests: redirects are followed", len(s.got))
	}
	s.answer = func(http.ResponseWriter, *http.Request, string) { time.Sleep(3 * time.Second) }
	expect(t, h.Deliver(t.Context(), events("a")), replicate.ClassTransient, idSlow, "in time")
	url := s.URL
	s.Close()
	h = &HTTP{URL: url + "/?token=s3cret", Method: "POST", Limits: limits}
	res := h.Deliver(t.Context(), events("a"))
	expect(t, res, replicate.ClassTransient, idConnect, "refused")
	if strings.Contains(res.Message, "s3cret") {
		t.Errorf("a secret is shown: %s", res.Message)
	}
}

func TestHTTPSersync(t *testing.T) {
	s := newServer(t)
	s.answer = func(w http.ResponseWriter, _ *http.Request, body string) {
		if strings.Contains(body, "bad") {
			w.WriteHeader(422)
		}
	}
	h := &HTTP{URL: s.URL, Method: "POST", Sersync: true, Limits: limits, Root: "/data 1"}
	expect(t, h.Deliver(t.Context(), events("a&b=c", "bad", "d/", "-e")), replicate.ClassEntry, idStatus, "422", 1)
	want := []string{
		"watchroot=%2Fdata+1&isdir=0&inotifyPath=%2Fdata+1%2Fa%26b%3Dc&mask=8",
		"watchroot=%2Fdata+1&isdir=0&inotifyPath=%2Fdata+1%2Fbad&mask=8",
		"watchroot=%2Fdata+1&isdir=1&inotifyPath=%2Fdata+1%2Fd&mask=1073742080",
		"watchroot=%2Fdata+1&isdir=0&inotifyPath=%2Fdata+1%2Fe&mask=512",
	}
	if !slices.Equal(s.bodies, want) {
		t.Errorf("%q", s.bodies)
	}
}

func TestRate(t *testing.T) {
	s := newServer(t)
	h := &HTTP{URL: s.URL, Method: "POST", Sersync: true, Limits: Limits{Timeout: 10 * time.Second, PerSecond: 20}}
	start := time.Now()
	expect(t, h.Deliver(t.Context(), events("a", "b", "c", "d", "e")), replicate.ClassOK, "", "")
	if d := time.Since(start); d < 200*time.Millisecond {
		t.Errorf("five requests in %s", d)
	}
}

// listen runs a receiver that handles each connection.
func listen(t *testing.T, network string, handle func(net.Conn)) string {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "grs")
		check(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		addr = filepath.Join(dir, "s")
	}
	l, err := net.Listen(network, addr)
	check(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handle(c)
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestSocket(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		got := make(chan string, 10)
		addr := listen(t, network, func(c net.Conn) {
			sc := bufio.NewScanner(c)
			for sc.Scan() {
				var e Event
				if json.Unmarshal(sc.Bytes(), &e) != nil {
					t.Errorf("line %q", sc.Text())
				}
				got <- e.Op + " " + e.Text
			}
			fmt.Fprintln(c, "ok")
		})
		s := &Socket{Network: network, Address: addr, Reply: true, Limits: limits, Root: "/data"}
		expect(t, s.Deliver(t.Context(), events("a", "-b")), replicate.ClassOK, "", "")
		if a, b := <-got, <-got; a != "change a" || b != "remove b" {
			t.Errorf("%s: %q %q", network, a, b)
		}
	}
}

func TestSocketSersync(t *testing.T) {
	got := make(chan string, 10)
	addr := listen(t, "tcp", func(c net.Conn) {
		b, _ := io.ReadAll(c)
		got <- string(b)
	})
	s := &Socket{Network: "tcp", Address: addr, Sersync: true, Limits: limits, Root: "/data"}
	expect(t, s.Deliver(t.Context(), events("a b", "c")), replicate.ClassOK, "", "")
	if a, b := <-got, <-got; a != "/data/a b" || b != "/data/c" {
		t.Errorf("%q %q", a, b)
	}
}

// TestSocketFails: a receiver that does not read everything does not have it.
func TestSocketFails(t *testing.T) {
	many := events(strings.Split(strings.Repeat("a long name for a file that nobody reads,", 20000), ",")...)
	for name, c := range map[string]struct {
		handle func(net.Conn)
		reply  bool
		class  replicate.Class
		id     string
	}{
		"ends at once":   {func(net.Conn) {}, false, replicate.ClassTransient, idReply},
		"reads a little": {func(c net.Conn) { _, _ = c.Read(make([]byte, 100)) }, false, replicate.ClassTransient, idReply},
		"is slow":        {func(net.Conn) { time.Sleep(3 * time.Second) }, false, replicate.ClassTransient, idSlow},
		"says nothing":   {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, true, replicate.ClassTransient, idReply},
		"says no": {func(c net.Conn) {
			_, _ = io.Copy(io.Discard, c)
			fmt.Fprintln(c, "no such table")
		}, true, replicate.ClassEntry, idReply},
	} {
		t.Run(name, func(t *testing.T) {
			l := limits
			if c.id == idSlow {
				l.Timeout = time.Second
			}
			s := &Socket{Network: "tcp", Address: listen(t, "tcp", c.handle), Reply: c.reply, Limits: l}
			expect(t, s.Deliver(t.Context(), many), c.class, c.id, "")
		})
	}
	s := &Socket{Network: "unix", Address: "/nowhere/s", Limits: limits}
	expect(t, s.Deliver(t.Context(), events("a")), replicate.ClassConfig, idConnect, "no such file")
	s = &Socket{Network: "tcp", Address: "127.0.0.1:1", Limits: limits}
	expect(t, s.Deliver(t.Context(), events("a")), replicate.ClassTransient, idConnect, "refused")
}
