package control

import (
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// TestSocketIsNeverOpenToOthers: not even for the moment in which it is made,
// whatever the umask.
func TestSocketIsNeverOpenToOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	defer syscall.Umask(syscall.Umask(0))
	var seen, bad atomic.Int64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if fi, err := os.Lstat(path); err == nil {
				seen.Add(1)
				if fi.Mode().Perm() != 0o600 {
					bad.Add(1)
				}
			}
		}
	}()
	for range 300 {
		s, err := listenSocket(config.Socket{Path: path, Mode: 0o600})
		check(t, err)
		check(t, s.Close())
	}
	close(stop)
	<-ended
	if seen.Load() == 0 || bad.Load() > 0 {
		t.Errorf("seen %d times, %d of them with another mode", seen.Load(), bad.Load())
	}
}

// TestConnectionsAreLimited: what is too much is closed at once, and there is
// room again when others have gone.
func TestConnectionsAreLimited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	inner, err := net.Listen("unix", path)
	check(t, err)
	l := limit(inner, 2)
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	defer l.Close()
	dial := func() net.Conn {
		c, err := net.Dial("unix", path)
		check(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	dial()
	first := <-accepted
	<-accepted
	surplus := dial()
	check(t, surplus.SetReadDeadline(time.Now().Add(10*time.Second)))
	if _, err := surplus.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the third connection: %v", err)
	}
	check(t, first.Close())
	_ = first.Close() // frees one place only
	dial()
	select {
	case <-accepted:
	case <-time.After(10 * time.Second):
		t.Error("no room after one has gone")
	}
}
