package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// toldDoc is an event as a sink's receiver gets it.
type toldDoc struct {
	ID   string `json:"id"`
	Op   string `json:"op"`
	Path string `json:"path"`
	B64  string `json:"path_b64"`
	Type string `json:"type"`
}

func (e toldDoc) raw(t *testing.T) string {
	if e.B64 == "" {
		return e.Path
	}
	b, err := base64.StdEncoding.DecodeString(e.B64)
	if err != nil {
		t.Errorf("path_b64 of %+v: %v", e, err)
	}
	return string(b)
}

// model is what somebody knows of a tree who was only told of changes. It equals the
// tree if nothing was skipped and each path's events came in order.
type model struct {
	mu    sync.Mutex
	paths map[string]bool
	seen  map[string]int // event ids
}

func newModel() *model { return &model{paths: map[string]bool{}, seen: map[string]int{}} }

func (m *model) apply(t *testing.T, e toldDoc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := e.raw(t)
	m.seen[e.ID]++
	switch e.Op {
	case "change":
		m.paths[p] = true
		if e.Type == "directory" || e.Type == "" {
			return
		}
		fallthrough // a directory that became something else has nothing below it
	case "remove":
		for q := range m.paths {
			if strings.HasPrefix(q, p+"/") || e.Op == "remove" && q == p {
				delete(m.paths, q)
			}
		}
	default:
		t.Errorf("op %q", e.Op)
	}
}

// differs lists what the model has wrong about a tree.
func (m *model) differs(t *testing.T, root string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	there := map[string]bool{}
	must(t, filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		rel := p[len(root)+1:]
		there[rel] = true
		if !m.paths[rel] {
			out = append(out, fmt.Sprintf("not told of %q", rel))
		}
		return nil
	}))
	for p := range m.paths {
		if !there[p] && p != "" {
			out = append(out, fmt.Sprintf("not told that %q is gone", p))
		}
	}
	return out
}

// moods are drawn by receivers that fail now and then, until they are well.
type moods struct {
	mu   sync.Mutex
	rnd  *rand.Rand
	well atomic.Bool
}

func (m *moods) draw(n int) int {
	if m.well.Load() {
		return n - 1
	}
	return m.any(n)
}

func (m *moods) any(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rnd.IntN(n)
}

// sickWeb is a server that applies events to a model, or does what it feels like.
func sickWeb(t *testing.T, m *model, mood *moods) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		feels := mood.draw(10)
		switch feels {
		case 0:
			w.WriteHeader(500)
			return
		case 1: // dies before it has dealt with it
			panic(http.ErrAbortHandler)
		case 2:
			time.Sleep(1200 * time.Millisecond)
			if req.Context().Err() != nil {
				return // nobody waits any more: the same comes again, or has come, with newer events
			}
		}
		var doc struct{ Events []toldDoc }
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Errorf("body: %v", err)
		}
		for _, e := range doc.Events {
			m.apply(t, e)
		}
		switch feels {
		case 3:
			w.WriteHeader(503)
		case 4: // after it
			panic(http.ErrAbortHandler)
		}
	})}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close() })
	return "http://" + l.Addr().String() + "/"
}

// sickSocket is the same behind a socket.
func sickSocket(t *testing.T, m *model, mood *moods) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			feels := mood.draw(10)
			if feels > 0 {
				sc := bufio.NewScanner(c)
				sc.Buffer(nil, 1<<20)
				for sc.Scan() && !(feels == 1 && mood.draw(5) == 0) {
					var e toldDoc
					if json.Unmarshal(sc.Bytes(), &e) == nil { // else it was cut off by a kill
						m.apply(t, e)
					}
				}
				if feels > 2 {
					fmt.Fprintln(c, "ok")
				}
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

// sickHook is a program that appends events to a file as long as there is another one
// that says that it is sick; it fails before or after it has dealt with them.
const sickHook = `#!/bin/sh
r=$(od -An -N1 -tu1 /dev/urandom)
[ ! -e "$2" ] || [ $((r % 5)) != 0 ] || exit 75
cat >>"$1" || exit 1
[ ! -e "$2" ] || [ $((r % 5)) != 1 ] || exit 75
`

// TestSinksForgetNothing kills the daemon again and again while a tree changes and every
// receiver fails now and then. In the end each of them knows the tree.
func TestSinksForgetNothing(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	n := seed(t)
	mood := &moods{rnd: rand.New(rand.NewPCG(n, 1))}
	web, socket, command := newModel(), newModel(), newModel()
	dir := t.TempDir()
	out, sick, hook := filepath.Join(dir, "events"), filepath.Join(dir, "sick"), filepath.Join(dir, "hook")
	write(t, sick, "")
	must(t, os.WriteFile(hook, []byte(sickHook), 0o700))
	r := newRig(t, `
defaults: {retry: {initial: 100ms, max: 1s}, guard: {max_delete: 0}}
sources:
  - path: `+src+`
    name: src
    remotes: [{name: disk, target: `+dst+`}]
    sinks:
      - {name: web, http: "`+sickWeb(t, web, mood)+`", when: acked, directories: true, timeout: 1s, batch: 50, retry: {initial: 50ms, max: 300ms}}
      - {name: socket, tcp: "`+sickSocket(t, socket, mood)+`", reply: true, directories: true, timeout: 2s, batch: 50, gather: 0s, retry: {initial: 50ms, max: 300ms}}
      - {name: command, command: [`+hook+`, `+out+`, `+sick+`], format: json, directories: true, batch: 200, retry: {initial: 50ms, max: 300ms}}
`)
	r.start()
	r.flush(20 * time.Second)
	churn := testbed.NewChurn(src, n)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				churn.Steps(3)
				time.Sleep(10 * time.Millisecond)
			}
		}
	})
	for range 5 {
		time.Sleep(time.Duration(200+mood.any(1000)) * time.Millisecond)
		r.kill9()
		r.start()
	}
	close(stop)
	wg.Wait()
	mood.well.Store(true)
	must(t, os.Remove(sick))
	r.flush(60 * time.Second)
	r.waitSync(30 * time.Second)
	testbed.WaitEqual(t, src, dst, 5*time.Second)
	readEvents(t, out, command)
	for name, m := range map[string]*model{"web": web, "socket": socket, "command": command} {
		if diff := m.differs(t, src); len(diff) > 0 {
			t.Errorf("%s: %d wrong of %d: %q", name, len(diff), len(m.paths), diff[:min(5, len(diff))])
		}
		repeated := 0
		for _, k := range m.seen {
			repeated += k - 1
		}
		t.Logf("%s: %d events, %d of them repeated, %d paths", name, len(m.seen)+repeated, repeated, len(m.paths))
	}
}

// readEvents applies what the command has appended to a file. What a kill has cut off is
// followed by its repetition.
func readEvents(t *testing.T, file string, m *model) {
	b, err := os.ReadFile(file)
	must(t, err)
	const begin = `{"id":"`
	for text := string(b); ; {
		i := strings.Index(text, begin)
		if i < 0 {
			return
		}
		text = text[i:]
		var e toldDoc
		if json.NewDecoder(strings.NewReader(text)).Decode(&e) == nil {
			m.apply(t, e)
		}
		text = text[len(begin):]
	}
}
