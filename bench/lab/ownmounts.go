package lab

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// ownMountsEnv marks a process that has its own mounts already.
const ownMountsEnv = "GORSYNCD_OWN_MOUNTS"

// OwnsMounts tells whether this is the new program of OwnMounts.
func OwnsMounts() bool { return os.Getenv(ownMountsEnv) != "" }

// OwnMounts starts the program anew in a mount namespace of its own, where
// mounts are shared, as they are on most machines: what is unmounted vanishes
// from the namespaces of its descendants, too. gorsyncd makes one for each
// rsync. Where mounts are private, a copy there keeps each file system of the
// machine alive until that rsync ends, and a disk that lost power, or btrfs,
// cannot be mounted again before. To be called first thing in main; it returns
// in the new program, at once when not root, and with an error.
func OwnMounts() error {
	if os.Getenv(ownMountsEnv) != "" || os.Geteuid() != 0 {
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // its namespace is that of the program it starts
	defer runtime.UnlockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	// First nothing goes out any more, then all goes down.
	for _, how := range []uintptr{unix.MS_SLAVE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", unix.MS_REC|how, ""); err != nil {
			return os.NewSyscallError("mount", err)
		}
	}
	return fmt.Errorf("start in a namespace of our own: %w", unix.Exec(exe, os.Args, append(os.Environ(), ownMountsEnv+"=1")))
}
