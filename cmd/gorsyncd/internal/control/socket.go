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
	"gorsyncd/cmd/gorsyncd/internal/trust"
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
	if err := socketDir(filepath.Dir(s.Path)); err != nil {
		return nil, err
	}
	if err := checkPlace(s.Path); err != nil {
		return nil, err
	}
	l, made, err := bindPrivately(s)
	if err != nil {
		return nil, err
	}
	return &socket{Listener: l, path: s.Path, made: made}, nil
}

// socketDir makes the directory if it is missing, and refuses one in which
// somebody else could put a socket in place of ours.
func socketDir(dir string) error {
	if err := makeOpen(dir); err != nil {
		return fmt.Errorf("make directory of control socket: %w", err)
	}
	if err := trust.Dir(dir); err != nil {
		if trust.Untrusted(err) {
			return &Error{Code: CodePermission, Message: "directory of the control socket: " + err.Error(),
				Hint: "or set socket to a path in another directory", Err: err}
		}
		return fmt.Errorf("look at directory of control socket: %w", err)
	}
	return nil
}

// makeOpen makes a directory and what is missing above it such that everybody
// may enter, whatever the umask: who may connect is for the socket to say.
func makeOpen(dir string) error {
	err := os.Mkdir(dir, 0o755)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir):
		if err := makeOpen(filepath.Dir(dir)); err != nil {
			return err
		}
		if err = os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
			return nil
		}
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// bindPrivately makes the socket in a directory that nobody else can enter, and
// puts it into its place when it has its mode and group: nobody can connect
// before, whatever the umask. It is reached through a handle there, so that its
// path need not be shorter than that of the socket.
func bindPrivately(s config.Socket) (*net.UnixListener, fs.FileInfo, error) {
	dir, err := os.MkdirTemp(filepath.Dir(s.Path), ".gorsyncd-")
	if err != nil {
		return nil, nil, fmt.Errorf("make control socket: %w", err)
	}
	defer os.RemoveAll(dir) // empty, unless something failed
	handle, err := os.Open(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("make control socket: %w", err)
	}
	defer handle.Close()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fmt.Sprintf("/proc/self/fd/%d/s", handle.Fd()), Net: "unix"})
	if err != nil {
		return nil, nil, fmt.Errorf("listen on control socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	made, err := settle(filepath.Join(dir, "s"), s)
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, made, nil
}

// settle gives the socket at path its group and mode, and then its name.
func settle(path string, c config.Socket) (fs.FileInfo, error) {
	if c.Group != "" {
		gid, err := groupID(c.Group)
		if err != nil {
			return nil, err
		}
		if err := os.Chown(path, -1, gid); err != nil {
			return nil, fmt.Errorf("give control socket to group %s: %w", c.Group, err)
		}
	}
	if err := os.Chmod(path, c.Mode); err != nil {
		return nil, fmt.Errorf("set mode of control socket: %w", err)
	}
	made, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("find control socket: %w", err)
	}
	if err := os.Rename(path, c.Path); err != nil {
		return nil, fmt.Errorf("put control socket into place: %w", err)
	}
	return made, nil
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

// checkPlace takes nothing, or a socket nobody listens on, for a free place.
func checkPlace(path string) error {
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
	return nil // what takes its place replaces it
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
