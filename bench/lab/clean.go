package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// CleanStale undoes what killed runs left: every mount and loop device whose
// files are below dir (which no living run may use), and the namespaces,
// groups and kernel settings of makers that are dead. Files stay.
func CleanStale(dir string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("clean %s: %w", dir, err)
	}
	return errors.Join(cleanDisks(dir), cleanLinks(), cleanGroups(), cleanSysctls())
}

// cleanDisks unmounts what is mounted below dir and what is mounted from a
// device over a file below dir, the newest first; the devices follow.
func cleanDisks(dir string) error {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("clean disks: %w", err)
	}
	var errs []error
	lines := strings.Split(strings.TrimSpace(string(info)), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		f := strings.Fields(lines[i])
		if len(f) < 10 {
			continue
		}
		point := unescape(f[4])
		_, tail, _ := strings.Cut(lines[i], " - ")
		source := strings.Fields(tail)[1]
		ours := strings.HasPrefix(source, "/dev/loop") && strings.HasPrefix(backingOf(source), dir+"/")
		if ours || strings.HasPrefix(point, dir+"/") {
			errs = append(errs, unix.Unmount(point, unix.MNT_DETACH))
		}
	}
	return errors.Join(errs...)
}

// unescape undoes the octal escapes of /proc/self/mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

func cleanLinks() error {
	var errs []error
	names, _ := filepath.Glob("/run/netns/" + linkPrefix + "*") // the pattern is valid
	for _, name := range names {
		if makerDead(strings.TrimPrefix(filepath.Base(name), linkPrefix)) {
			errs = append(errs, each("netns delete "+filepath.Base(name)))
		}
	}
	return errors.Join(errs...)
}

func cleanGroups() error {
	var errs []error
	for _, root := range append(groupMounts(true), groupMounts(false)...) {
		errs = append(errs, filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
			if err != nil || !e.IsDir() || !strings.HasPrefix(e.Name(), groupPrefix) {
				return nil // groups come and go
			}
			if makerDead(strings.TrimPrefix(e.Name(), groupPrefix)) {
				if err := dissolve(path, filepath.Dir(path)); err != nil {
					return err
				}
			}
			return filepath.SkipDir
		}))
	}
	return errors.Join(errs...)
}

func cleanSysctls() error {
	var errs []error
	notes, _ := filepath.Glob(filepath.Join(noteDir(), "*"))
	for _, note := range notes {
		if makerDead(filepath.Base(note)) {
			errs = append(errs, restoreSysctl(note))
		}
	}
	return errors.Join(errs...)
}

// makerDead reads the pid at the start of "PID-…". One that was given to
// another process counts as alive; the next clean gets it.
func makerDead(name string) bool {
	pid, err := strconv.Atoi(strings.SplitN(name, "-", 2)[0])
	return err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
