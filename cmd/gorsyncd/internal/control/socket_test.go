package control

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

func TestSocketHasItsModeAndGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "s")
	gid := os.Getgid()
	s, err := listenSocket(config.Socket{Path: path, Mode: 0o660, Group: strconv.Itoa(gid)})
	check(t, err)
	st, err := os.Lstat(path)
	check(t, err)
	if st.Mode().Perm() != 0o660 || int(st.Sys().(*syscall.Stat_t).Gid) != gid {
		t.Errorf("mode %v", st.Mode())
	}
	check(t, s.Close())
	if _, err := os.Lstat(path); err == nil {
		t.Error("the file is left behind")
	}
	_, err = listenSocket(config.Socket{Path: path, Mode: 0o660, Group: "no-such-group"})
	if e := Classify(err); e == nil || e.Exit() != ExitConfig {
		t.Errorf("unknown group: %v", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("a failed start left its socket behind")
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	check(t, err)
	l.SetUnlinkOnClose(false)
	check(t, l.Close())
	s, err := listenSocket(config.Socket{Path: path, Mode: 0o600})
	check(t, err)
	check(t, s.Close())
}

func TestLiveSocketIsLeftAlone(t *testing.T) {
	s, c := serve(t, &fake{})
	_, err := Listen(config.Socket{Path: s.sock.path, Mode: 0o600}, &fake{}, nil)
	if e := Classify(err); e == nil || e.Exit() != ExitBusy {
		t.Errorf("got %v", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the first server suffered: %v", err)
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	check(t, os.WriteFile(path, []byte("data"), 0o600))
	_, err := listenSocket(config.Socket{Path: path, Mode: 0o600})
	if e := Classify(err); e == nil || e.Exit() != ExitConfig {
		t.Errorf("got %v", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "data" {
		t.Errorf("the file is now %q, %v", data, err)
	}
}

func TestCloseLeavesASuccessorsSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := listenSocket(config.Socket{Path: path, Mode: 0o600})
	check(t, err)
	check(t, os.Remove(path))
	second, err := listenSocket(config.Socket{Path: path, Mode: 0o600})
	check(t, err)
	check(t, first.Close())
	if _, err := os.Lstat(path); err != nil {
		t.Error("the successor's socket is gone")
	}
	check(t, second.Close())
}

func TestUnreachable(t *testing.T) {
	dir := t.TempDir()
	_, err := New(filepath.Join(dir, "none")).Status(t.Context())
	if e := Classify(err); e.Exit() != ExitUnreachable || !strings.Contains(e.Hint, "gorsyncd run") {
		t.Errorf("got %v", err)
	}
	denied := &Client{Path: "/run/g.sock"}
	err = denied.unreachable(t.Context(), &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)})
	e := Classify(err)
	if e.Exit() != ExitPermission || e.Message != "permission denied on /run/g.sock" || e.Hint != "use sudo or join group gorsyncd" {
		t.Errorf("got %+v", e)
	}
}
