package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrUnsupported says that this kernel, machine or file system cannot inject a
// fault. It always comes as an [UnsupportedError].
var ErrUnsupported = errors.New("unsupported")

// ErrBusy says that processes still use what was to be taken away, or that
// writes did not settle.
var ErrBusy = errors.New("busy")

// UnsupportedError is a fault that cannot be injected here, and why.
type UnsupportedError struct {
	What   string // such as "mount btrfs"
	Reason string
}

func (e *UnsupportedError) Error() string { return e.What + ": unsupported: " + e.Reason }

// Is makes errors.Is(err, ErrUnsupported) true.
func (e *UnsupportedError) Is(target error) bool { return target == ErrUnsupported }

func unsupported(what, reason string, args ...any) error {
	return &UnsupportedError{What: what, Reason: fmt.Sprintf(reason, args...)}
}

// packages names the Debian package of each program used here.
var packages = map[string]string{
	"mkfs.ext4": "e2fsprogs", "mkfs.xfs": "xfsprogs", "mkfs.btrfs": "btrfs-progs", "btrfs": "btrfs-progs",
	"ip": "iproute2", "tc": "iproute2", "nsenter": "util-linux",
}

// tool finds a program, also in the sbin directories that are not on every
// user's path.
func tool(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		p := filepath.Join(dir, name)
		if st, err := os.Stat(p); err == nil && st.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s is not installed (Debian package %s)", name, packages[name])
}

// run runs a program to its end; the error holds what it said.
func run(name string, args ...string) (string, error) {
	bin, err := tool(name)
	if err != nil {
		return "", err
	}
	out, err := exec.Command(bin, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
