package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Error says which file cannot be trusted, why, and what to do about it. It
// never holds anything of the file's content.
type Error struct {
	Path, Problem, Remedy string
}

func (e *Error) Error() string { return fmt.Sprintf("%q %s: %s", e.Path, e.Problem, e.Remedy) }

// trustee is whom to trust besides root; tests change it.
var trustee = os.Geteuid

// maxLinks is how many symbolic links a path may lead through, as for the kernel.
const maxLinks = 40

// Way checks every directory on the way to an absolute path, and the links it
// leads through, but for the last element itself unless that is a link. It
// returns the path that the links lead to. A missing element is an error that
// is fs.ErrNotExist.
func Way(path string) (string, error) {
	todo := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	at := "/"
	if err := directory(at); err != nil {
		return "", err
	}
	for links := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		fi, err := os.Lstat(next)
		if err != nil {
			return "", err
		}
		if fi.Mode().Type() == fs.ModeSymlink {
			if links++; links > maxLinks {
				return "", &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
			}
			if uid, ok := ownedByTrusted(fi); !ok {
				return "", &Error{next, fmt.Sprintf("is a symbolic link of user %d", uid), "put the file itself there"}
			}
			target, err := os.Readlink(next)
			if err != nil {
				return "", err
			}
			if strings.HasPrefix(target, "/") {
				at = "/"
			}
			todo = append(strings.Split(strings.Trim(target, "/"), "/"), todo...)
			continue
		}
		at = next
		if len(todo) > 0 {
			if err := directory(at); err != nil {
				return "", err
			}
		}
	}
	return at, nil
}

// Dir checks a directory and the way to it.
func Dir(path string) error {
	real, err := Way(path)
	if err != nil {
		return err
	}
	return directory(real)
}

func directory(path string) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return &fs.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
	}
	if uid, ok := ownedByTrusted(fi); !ok {
		return &Error{path, fmt.Sprintf("belongs to user %d", uid), "chown it, or choose another place"}
	}
	if writableByOthers(fi) && fi.Mode()&fs.ModeSticky == 0 {
		return &Error{path, "can be written to by others", "chmod go-w it, or choose another place"}
	}
	return nil
}

// File checks a file that decides what is done: nobody else may be able to
// change it.
func File(path string) error {
	real, err := Way(path)
	if err != nil {
		return err
	}
	fi, err := os.Lstat(real)
	if err != nil {
		return err
	}
	return ours(path, fi)
}

// Secret checks a file that holds a secret: a regular file that nobody else may
// read or change.
func Secret(path string) error { return secret(path, 0o077) }

// Credential checks a file that systemd has put into a directory of the service's
// own. For a service that does not run as root it belongs to root and can be read
// by an access list, which shows as the right of a group that has none.
func Credential(path string) error { return secret(path, 0o037) }

// secret allows nobody else any of the rights in denied.
func secret(path string, denied fs.FileMode) error {
	real, err := Way(path)
	if err != nil {
		return err
	}
	fi, err := os.Lstat(real)
	switch {
	case err != nil:
		return err
	case !fi.Mode().IsRegular():
		return &Error{path, "is not a regular file", "write the password into a file of its own"}
	}
	if err := ours(path, fi); err != nil {
		return err
	}
	if fi.Mode().Perm()&denied != 0 {
		return &Error{path, "can be read by others", "chmod 600 it"}
	}
	return nil
}

func ours(path string, fi fs.FileInfo) error {
	if uid, ok := ownedByTrusted(fi); !ok {
		return &Error{path, fmt.Sprintf("belongs to user %d", uid), fmt.Sprintf("chown it to user %d", trustee())}
	}
	if writableByOthers(fi) {
		return &Error{path, "can be written to by others", "chmod go-w it"}
	}
	return nil
}

func ownedByTrusted(fi fs.FileInfo) (uid uint32, ok bool) {
	st, isStat := fi.Sys().(*syscall.Stat_t)
	if !isStat {
		return 0, false
	}
	return st.Uid, st.Uid == 0 || int(st.Uid) == trustee()
}

// writableByOthers counts the group root in with root.
func writableByOthers(fi fs.FileInfo) bool {
	mode := fi.Mode().Perm()
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Gid == 0 {
		mode &^= 0o020
	}
	return mode&0o022 != 0
}

// Private makes a directory that only we can enter, its missing parents too, or
// takes one that is there: it must be ours and such that nobody else could have
// put anything into it, or empty. Where others had access they no longer have
// it afterwards, and tightened is true.
func Private(path string) (tightened bool, err error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return false, err
	}
	real, err := Way(path)
	if err != nil {
		return false, err
	}
	fi, err := os.Lstat(real)
	if err != nil {
		return false, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.IsDir():
		return false, &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	case !ok || int(st.Uid) != trustee():
		return false, &Error{path, fmt.Sprintf("belongs to another user than the %d of this process", trustee()),
			"chown it with all that is in it, or choose another place"}
	case fi.Mode().Perm()&0o077 == 0:
		return false, nil
	case writableByOthers(fi):
		return true, closeEmpty(path, real)
	}
	return true, os.Chmod(real, 0o700)
}

// closeEmpty closes a directory in which nobody has put anything so far, as is
// one on a fresh file system in memory.
func closeEmpty(path, real string) error {
	refused := &Error{path, "could be written to by others", "make sure that nobody put anything there, and chmod 700 it"}
	if left, err := os.ReadDir(real); err != nil || len(left) > 0 {
		return errors.Join(refused, err)
	}
	if err := os.Chmod(real, 0o700); err != nil {
		return err
	}
	if left, err := os.ReadDir(real); err != nil || len(left) > 0 {
		return errors.Join(refused, err) // somebody was faster
	}
	return nil
}

// Untrusted tells whether err is about trust, as opposed to a missing file.
func Untrusted(err error) bool {
	var e *Error
	return errors.As(err, &e)
}
