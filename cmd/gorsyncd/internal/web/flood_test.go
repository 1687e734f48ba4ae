package web

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// descriptors is how many files this process may have open.
func descriptors(t *testing.T) int {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	return int(min(l.Max, 1<<20))
}

// TestManyStreams: all that are too many are told so, and what the server keeps
// for them is bounded. They stay connected until the last has its answer.
func TestManyStreams(t *testing.T) {
	n := min(manyStreams, descriptors(t)-1500)
	if n < 1000 {
		t.Fatalf("only %d clients are possible: raise the limit of open files", n)
	}
	r := start(t, nil)
	before := runtime.NumGoroutine()
	var mu sync.Mutex
	var conns []net.Conn
	got := map[string]int{}
	jobs := make(chan struct{}, n)
	for range n {
		jobs <- struct{}{}
	}
	close(jobs)
	var wg sync.WaitGroup
	const workers = 100
	for range workers {
		wg.Go(func() {
			for range jobs {
				conn, what := r.stream()
				mu.Lock()
				if got[what]++; conn != nil {
					conns = append(conns, conn)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("of %d: %v", n, got)
	for _, c := range conns {
		defer c.Close()
	}
	if most := r.web.settings.Load().conf.MaxClients; got["stream"] > most || got["stream"] < most/2 {
		t.Errorf("%d streams, %d are allowed", got["stream"], most)
	}
	if got["cut off"] > n/20 || got["stream"]+got["refused"]+got["cut off"] != n {
		t.Errorf("not all were told: %v", got)
	}
	if st := r.web.Status(); st.Connections > 20+spareConns {
		t.Errorf("%d connections", st.Connections)
	}
	if more := runtime.NumGoroutine() - before; more > 4*(20+spareConns)+refusers {
		t.Errorf("%d goroutines more than before", more)
	}
	for _, c := range conns {
		c.Close()
	}
	r.settle()
	r.sound(0)
}

// stream opens a live stream and says what became of it.
func (r *rig) stream() (net.Conn, string) {
	conn, err := net.DialTimeout("tcp", r.addr, 20*time.Second)
	if err != nil {
		return nil, "not connected"
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, "GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return conn, "cut off"
	}
	a, err := readAnswer(conn)
	switch {
	case err != nil:
		return conn, "cut off"
	case a.code == http.StatusOK:
		return conn, "stream"
	case a.code == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "" && a.errorCode() == "busy":
		return conn, "refused"
	}
	return conn, fmt.Sprintf("%d %s", a.code, a.body)
}

// settle waits until somebody is answered again.
func (r *rig) settle() {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		a, err := r.raw("GET /api/v1/lag HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if err == nil && a.code == http.StatusOK {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("nobody is answered any more: %+v %v", a, err)
		}
	}
}

// TestSlowOnes: who sends nothing, or a part of a request, or takes no answer, holds
// nobody up.
func TestSlowOnes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":       "",
		"a part":        "GET /api/v1/status HTTP/1.1\r\nHost: loc",
		"no body":       "POST " + pause + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
		"no login":      "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
		"takes nothing": strings.Repeat("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", 6),
		"idle":          "GET /api/v1/lag HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, nil)
			var conns []net.Conn
			for range spareConns + 100 {
				conn, err := net.DialTimeout("tcp", r.addr, 10*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conns = append(conns, conn)
				_ = conn.(*net.TCPConn).SetReadBuffer(4096)
				_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
				_, _ = io.WriteString(conn, text) // whether it is taken or not
			}
			r.settle()
			if st := r.web.Status(); st.Connections > 20+spareConns {
				t.Errorf("%d connections", st.Connections)
			}
			for _, conn := range conns {
				conn.Close()
			}
			r.settle()
			r.sound(0)
		})
	}
}

// TestStreamsEndWithTheServer: they do not hold it up.
func TestStreamsEndWithTheServer(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	conn, what := r.stream()
	if what != "stream" {
		t.Fatal(what)
	}
	defer conn.Close()
	stopped := make(chan struct{})
	go func() {
		r.stop()
		close(stopped)
	}()
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Logf("it ended with %v", err)
	}
	<-stopped
}
