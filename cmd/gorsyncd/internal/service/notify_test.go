package service

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// listen is the socket of a service manager.
func listen(t *testing.T, addr string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

// setenv sets what a service manager sets; "" leaves a variable out.
func setenv(t *testing.T, socket, usec, pid string) {
	t.Helper()
	for name, v := range map[string]string{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid} {
		t.Setenv(name, v)
		if v == "" {
			os.Unsetenv(name)
		}
	}
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "grn") // paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestNotify(t *testing.T) {
	for _, addr := range []string{filepath.Join(shortDir(t), "notify"), "@gorsyncd-test-" + strconv.Itoa(os.Getpid())} {
		conn := listen(t, addr)
		setenv(t, addr, "60000000", strconv.Itoa(os.Getpid()))
		n, err := FromEnv()
		if err != nil || !n.Listens() || n.period != time.Minute {
			t.Fatalf("%+v %v", n, err)
		}
		for _, kv := range os.Environ() {
			if strings.HasPrefix(kv, "NOTIFY_") || strings.HasPrefix(kv, "WATCHDOG_") {
				t.Errorf("children inherit %s", kv)
			}
		}
		for _, c := range []struct {
			send func() error
			want string
		}{
			{func() error { return n.Ready("all 4 remotes in sync") }, `READY=1\nSTATUS=all 4 remotes in sync`},
			{n.Reloading, `RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reloading the configuration`},
			{func() error { return n.Status("a\nREADY=1\x00\xff") }, "STATUS=a READY=1 \ufffd"},
			{func() error { return n.Stopping("s") }, `STOPPING=1\nSTATUS=s`},
			{n.kick, `WATCHDOG=1`},
		} {
			if err := c.send(); err != nil {
				t.Fatal(err)
			}
			if got := receive(t, conn); !regexp.MustCompile("^" + c.want + "$").MatchString(got) {
				t.Errorf("%s: got %q, want %q", addr, got, c.want)
			}
		}
	}
}

func TestNobodyListens(t *testing.T) {
	setenv(t, "", "", "")
	n, err := FromEnv()
	if n != nil || err != nil || n.Listens() {
		t.Fatal(n, err)
	}
	if err := n.Ready("x"); err != nil {
		t.Error(err)
	}
}

func TestBadEnvironment(t *testing.T) {
	for _, c := range []struct{ socket, usec, want string }{
		{"vsock:2:1", "", "NOTIFY_SOCKET"}, {"relative", "", "NOTIFY_SOCKET"},
		{"/s", "soon", "WATCHDOG_USEC"}, {"/s", "0", "WATCHDOG_USEC"}, {"/s", "-1", "WATCHDOG_USEC"}, {"/s", "9223372036854775807", "WATCHDOG_USEC"},
	} {
		setenv(t, c.socket, c.usec, "")
		if n, err := FromEnv(); n != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v %v", c, n, err)
		}
	}
	setenv(t, "/s", "60000000", "1")
	if n, err := FromEnv(); err != nil || n.period != 0 {
		t.Errorf("a watchdog of another process: %+v %v", n, err)
	}
}

// TestManagerIsGone: what cannot be told is an error and nothing worse.
func TestManagerIsGone(t *testing.T) {
	setenv(t, filepath.Join(shortDir(t), "none"), "", "")
	n, err := FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Ready("x"); err == nil {
		t.Error("told nobody")
	}
}

func TestManyTell(t *testing.T) {
	addr := filepath.Join(shortDir(t), "notify")
	conn := listen(t, addr)
	n, err := newNotifier(addr, 0)
	if err != nil {
		t.Fatal(err)
	}
	const each = 50
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range each {
				if err := n.kick(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 4 * each {
		if got := receive(t, conn); got != "WATCHDOG=1" {
			t.Fatalf("got %q", got)
		}
	}
	wg.Wait()
}
