package control

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// checkPeer makes sure that a daemon one can rely on has answered, and not
// whoever was the first to put a socket at the path. It may be root's, our own,
// or that of the user whom the directory of the socket belongs to.
func checkPeer(path string, conn net.Conn) error {
	uid, err := peerUID(conn)
	if err != nil {
		return fmt.Errorf("find out who listens on %s: %w", path, err)
	}
	if uid == 0 || int(uid) == os.Geteuid() {
		return nil
	}
	if fi, err := os.Stat(filepath.Dir(path)); err == nil {
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid == uid {
			return nil
		}
	}
	return &Error{Code: CodePermission, Message: fmt.Sprintf("user %d listens on %s, which is neither root nor the owner of that directory", uid, path),
		Hint: "it may pose as the daemon: remove the socket, or name the right one with --socket"}
}

// peerUID is the user who listens on the other end of a unix socket.
func peerUID(conn net.Conn) (uint32, error) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("%T has no socket", conn)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if cerr != nil {
		return 0, cerr
	}
	if err != nil {
		return 0, os.NewSyscallError("getsockopt", err)
	}
	return cred.Uid, nil
}
