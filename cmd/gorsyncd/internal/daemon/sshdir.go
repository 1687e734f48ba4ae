package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/replicate"
)

// openSSHDir returns a private directory for the sockets of shared ssh
// connections: in the state directory, or beside the control socket where the
// state directory's path is too long for the path of a socket. "" means that
// connections are not shared, which costs a handshake for each transfer.
func openSSHDir(c *config.Config, log *slog.Logger) string {
	var errs []error
	for _, dir := range []string{
		filepath.Join(c.StateDir, "ssh"),
		filepath.Join(filepath.Dir(c.Socket.Path), "gorsyncd-ssh"),
	} {
		if len(dir) > replicate.MaxControlDir {
			errs = append(errs, fmt.Errorf("%s is too long for the path of a socket", dir))
			continue
		}
		if err := makePrivate(dir); err != nil {
			errs = append(errs, err)
			continue
		}
		return dir
	}
	log.Warn("ssh connections are not shared", "error", errors.Join(errs...))
	return ""
}

// makePrivate makes a directory that nobody else can enter, or checks that the
// one that is there is ours and like that: whoever can write into it could pose
// as the other end of a connection.
func makePrivate(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil || !errors.Is(err, fs.ErrExist) {
		return err
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || !fi.IsDir() || int(st.Uid) != os.Geteuid() || fi.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a private directory of this user: remove it", dir)
	}
	return nil
}
