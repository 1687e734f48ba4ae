package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// dialTimeout bounds connecting to a local socket, which waits only when the
// listener's backlog is full.
const dialTimeout = 5 * time.Second

// socket is a listening unix socket that removes its own file, and no other.
type socket struct {
	net.Listener
	path string
	made fs.FileInfo
}

// listenSocket creates the socket with its mode and group. A file left behind
// by a crash is replaced; a live socket, or anything that is no socket, is not
// touched.
func listenSocket(s config.Socket) (*socket, error) {
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o755); err != nil {
		return nil, fmt.Errorf("make directory of control socket: %w", err)
	}
	if err := clearStale(s.Path); err != nil {
		return nil, err
	}
	// Until chmod the umask's mode holds, which lets nobody else write, and
	// to connect is to write.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.Path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	sock := &socket{Listener: l, path: s.Path}
	if err := sock.protect(s); err != nil {
		return nil, errors.Join(err, sock.Close())
	}
	return sock, nil
}

func (s *socket) protect(c config.Socket) error {
	var err error
	if s.made, err = os.Lstat(c.Path); err != nil {
		return fmt.Errorf("find control socket: %w", err)
	}
	if c.Group != "" {
		gid, err := groupID(c.Group)
		if err != nil {
			return err
		}
		if err := os.Chown(c.Path, -1, gid); err != nil {
			return fmt.Errorf("give control socket to group %s: %w", c.Group, err)
		}
	}
	if err := os.Chmod(c.Path, c.Mode); err != nil {
		return fmt.Errorf("set mode of control socket: %w", err)
	}
	return nil
}

// Close stops listening and removes the file unless another process has put
// its own there.
func (s *socket) Close() error {
	err := s.Listener.Close()
	now, serr := os.Lstat(s.path)
	if serr == nil && s.made != nil && os.SameFile(now, s.made) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// clearStale removes a socket nobody listens on.
func clearStale(path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at control socket: %w", err)
	case st.Mode().Type() != fs.ModeSocket:
		return &Error{Code: CodeConfig, Message: fmt.Sprintf("%s exists and is no socket", path), Hint: "move it away or set socket to another path"}
	}
	conn, err := net.DialTimeout("unix", path, dialTimeout)
	if err == nil {
		_ = conn.Close() // it has answered, which is all that was asked
		return &Error{Code: CodeBusy, Message: fmt.Sprintf("another process is listening on %s", path), Hint: "stop it, or set socket to another path"}
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("find out whether control socket is in use: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove stale control socket: %w", err)
	}
	return nil
}

func groupID(name string) (int, error) {
	if gid, err := strconv.Atoi(name); err == nil && gid >= 0 {
		return gid, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, &Error{Code: CodeConfig, Message: fmt.Sprintf("socket.group: %v", err), Hint: "create it with: groupadd --system " + name, Err: err}
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return 0, fmt.Errorf("socket.group: %q has the odd number %q", name, g.Gid)
	}
	return gid, nil
}
