// Package report writes the sections of bench/README.md. Each is produced by
// one program and stands between two marks, so that they can be measured at
// different times.
package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Replace puts text in the place of the section called name, or at the end of
// the file when it has none.
func Replace(file, name, text string) error {
	begin, end := fmt.Sprintf("<!-- begin %s -->\n", name), fmt.Sprintf("<!-- end %s -->\n", name)
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read report: %w", err)
	}
	section := begin + strings.TrimRight(text, "\n") + "\n" + end
	whole := string(old)
	if i, j := strings.Index(whole, begin), strings.Index(whole, end); i >= 0 && j > i {
		whole = whole[:i] + section + whole[j+len(end):]
	} else {
		whole = strings.TrimRight(whole, "\n") + "\n\n" + section
	}
	if err := os.WriteFile(file, []byte(strings.TrimLeft(whole, "\n")), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// Machine names what figures depend on: processors, kernel, versions and the
// file system of dir ("" leaves that out).
func Machine(dir string) string {
	var u unix.Utsname
	kernel := "unknown kernel"
	if unix.Uname(&u) == nil {
		kernel = "Linux " + unix.ByteSliceToString(u.Release[:])
	}
	rsync := "unknown rsync"
	if out, err := exec.Command("rsync", "--version").Output(); err == nil {
		rsync = strings.Join(strings.Fields(strings.SplitN(string(out), "\n", 2)[0])[:3], " ") + startTime()
	}
	s := fmt.Sprintf("%d processors (%s), %s, %s, %s", runtime.NumCPU(), runtime.GOARCH, kernel, rsync, runtime.Version())
	if dir != "" {
		s += ", trees and journal on " + FileSystem(dir)
	}
	return s
}

// startTime says how long a program of the kind that all figures rest on takes to
// start: machines with the same number of processors differ by a factor of three.
func startTime() string {
	var all []time.Duration
	for range 9 {
		begin := time.Now()
		if exec.Command("rsync", "--version").Run() != nil {
			return ""
		}
		all = append(all, time.Since(begin))
	}
	slices.Sort(all)
	return fmt.Sprintf(" (starts in %.1f ms)", all[len(all)/2].Seconds()*1000)
}

// FileSystem names the kind of file system that dir is on.
func FileSystem(dir string) string {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return "an unknown file system"
	}
	names := map[int64]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.TMPFS_MAGIC: "tmpfs", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay"}
	if n, ok := names[int64(st.Type)]; ok {
		return n
	}
	return fmt.Sprintf("file system type %#x", st.Type)
}
