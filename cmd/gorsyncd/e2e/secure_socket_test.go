package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// socketRig is a rig whose socket is in a directory that every user can reach.
func socketRig(t *testing.T, socket string) (*rig, string) {
	t.Helper()
	src, dst := trees(t)
	r := newRig(t, oneRemote(src, dst, ""))
	dir := openDir(t)
	r.socket = filepath.Join(dir, "s")
	must(t, os.WriteFile(r.config, fmt.Appendf(nil, "state_dir: %s\nsocket: {path: %s%s}\n%s", r.stateDir(), r.socket, socket, oneRemote(src, dst, "")), 0o600))
	return r, dir
}

// TestSocketIsForItsOwner: nobody else can connect, and is told so.
func TestSocketIsForItsOwner(t *testing.T) {
	t.Parallel()
	needRoot(t)
	r, _ := socketRig(t, "")
	r.withoutUmask()
	if m := mode(t, r.socket); m != 0o600 {
		t.Errorf("mode of the socket %o", m)
	}
	for _, args := range [][]string{{"status"}, {"journal", "inspect"}, {"config", "show"}, {"approve", "*/*"}, {"pause", "*/*"}, {"reload"}, {"sync"}, {"flush"}, {"explain", "/"}} {
		out, code := cliAs(t, stranger, stranger, append([]string{"--socket", r.socket, "--config", r.config, "--state-dir", r.stateDir()}, args...)...)
		if code != 77 {
			t.Errorf("%v as a stranger: exit %d\n%s", args, code, out)
		}
		if args[0] != "config" {
			contains(t, out, "permission denied")
		}
	}
}

// TestSocketForAGroup: members may, others may not.
func TestSocketForAGroup(t *testing.T) {
	t.Parallel()
	needRoot(t)
	r, _ := socketRig(t, fmt.Sprintf(", group: %d", teamGroup))
	r.withoutUmask()
	fi, err := os.Lstat(r.socket)
	must(t, err)
	if st := fi.Sys().(*syscall.Stat_t); fi.Mode().Perm() != 0o660 || st.Uid != 0 || st.Gid != teamGroup {
		t.Errorf("socket: %v %d:%d", fi.Mode(), st.Uid, st.Gid)
	}
	if out, code := cliAs(t, stranger, teamGroup, "--socket", r.socket, "pause", "src/r"); code != 0 {
		t.Errorf("a member: exit %d\n%s", code, out)
	}
	out, code := cliAs(t, stranger, stranger, "--socket", r.socket, "status")
	if code != 77 {
		t.Errorf("a stranger: exit %d\n%s", code, out)
	}
	contains(t, out, "permission denied on "+r.socket)
}

// TestPlantedSocket: what another user has put at the socket's path is replaced
// where that is safe, and refused otherwise.
func TestPlantedSocket(t *testing.T) {
	t.Parallel()
	needRoot(t)
	secret := filepath.Join(openDir(t), "precious")
	must(t, os.WriteFile(secret, []byte("data"), 0o600))
	for name, c := range map[string]struct {
		plant func(t *testing.T, path string)
		code  int // 0: the daemon starts
		text  string
	}{
		"stale": {func(t *testing.T, path string) {
			if out, err := helperCommand(t, "stale", path).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
		}, 0, ""},
		"live": {func(t *testing.T, path string) {
			startHelper(t, "listen", path)
			waitFile(t, path)
		}, 75, "another process is listening"},
		"link": {func(t *testing.T, path string) {
			must(t, os.Symlink(secret, path))
			must(t, os.Lchown(path, stranger, stranger))
		}, 78, "is no socket"},
		"file": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path, nil, 0o666))
			must(t, os.Chown(path, stranger, stranger))
		}, 78, "is no socket"},
		"directory of a stranger": {func(t *testing.T, path string) { must(t, os.Chown(filepath.Dir(path), stranger, stranger)) }, 77, "belongs to user 65534"},
		"directory for all":       {func(t *testing.T, path string) { must(t, os.Chmod(filepath.Dir(path), 0o777)) }, 77, "can be written to by others"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, dir := socketRig(t, "")
			must(t, os.Chmod(dir, 0o777|os.ModeSticky))
			c.plant(t, r.socket)
			if c.code != 0 {
				r.refuses(c.code, c.text)
				return
			}
			r.start()
			fi, err := os.Lstat(r.socket)
			must(t, err)
			if st := fi.Sys().(*syscall.Stat_t); fi.Mode().Perm() != 0o600 || st.Uid != 0 {
				t.Errorf("socket: %v of %d", fi.Mode(), st.Uid)
			}
			r.stop()
			left, err := os.ReadDir(dir)
			must(t, err)
			for _, e := range left {
				if e.Name() != "gorsyncd-ssh" { // stays for the next start
					t.Errorf("left behind: %v", e)
				}
			}
		})
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "data" || mode(t, secret) != 0o600 {
		t.Errorf("behind the link: %q %v %o", b, err, mode(t, secret))
	}
}

func waitFile(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Lstat(path); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s did not appear", path)
		}
	}
}

// TestPosingAsTheDaemon: the command line does not believe a socket of another
// user where everybody may make one.
func TestPosingAsTheDaemon(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := openDir(t)
	must(t, os.Chmod(dir, 0o777|os.ModeSticky))
	path := filepath.Join(dir, "s")
	startHelper(t, "listen", path)
	waitFile(t, path)
	for _, args := range [][]string{{"status"}, {"pause", "src/r"}, {"journal", "stats"}} {
		out, errOut, code := gorsyncd(t, append([]string{"--socket", path, "--state-dir", t.TempDir()}, args...)...)
		if code != 77 {
			t.Errorf("%v: exit %d", args, code)
		}
		contains(t, errOut, "user 65534 listens on "+path)
		lacks(t, "the output", out+errOut, "FOOLED")
	}
}

// TestSocketUnderFire: whatever comes in, memory and descriptors are bounded and
// replication goes on.
func TestSocketUnderFire(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	r := newRig(t, oneRemote(src, dst, ""))
	r.start()
	r.flush(20 * time.Second)
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	garbage := []string{
		"", "G", "GET /api/v1/status HTTP/1.1\r\nHost: x\r\nX: ", "POST /api/v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"names\":",
		"\x16\x03\x01\x02\x00\x01", "POST /api/v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{]}",
		"POST /api/v1/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
		"GET /api/v1/explain?path=" + strings.Repeat("%00", 20000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /" + strings.Repeat("../", 20000) + "etc/shadow HTTP/1.1\r\nHost: x\r\n\r\n",
	}
	for i := range 600 {
		c, err := net.Dial("unix", r.socket)
		if err != nil {
			break // the backlog is full, too
		}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.Write([]byte(garbage[i%len(garbage)])) // it may have been closed already
		conns = append(conns, c)
	}
	if len(conns) < 300 {
		t.Fatalf("only %d connections", len(conns))
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.proc.Pid()))
	must(t, err)
	if n := len(fds); n > 256+100 {
		t.Errorf("%d open files", n)
	}
	write(t, filepath.Join(src, "meanwhile"), "x")
	r.waitFor("a change to arrive", 20*time.Second, func() bool {
		_, err := os.Stat(filepath.Join(dst, "meanwhile"))
		return err == nil
	})
	huge := fmt.Sprintf("POST /api/v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{\"names\":[\"", 1<<30)
	r.waitFor("slow clients to be dropped", 40*time.Second, func() bool { _, ok := r.tryStatus(); return ok })
	c, err := net.Dial("unix", r.socket)
	must(t, err)
	defer c.Close()
	_, err = c.Write([]byte(huge))
	must(t, err)
	sent := 0
	chunk := []byte(strings.Repeat("x", 1<<20))
	for range 64 {
		_ = c.SetWriteDeadline(time.Now().Add(5 * time.Second))
		n, err := c.Write(chunk)
		if sent += n; err != nil {
			break
		}
	}
	if sent > 16<<20 {
		t.Errorf("%d MiB of one request were taken", sent>>20)
	}
	r.flush(20 * time.Second)
}
