package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Rlimit sets the soft limit of a resource (unix.RLIMIT_…) of a running
// process; 0 is this one. The hard limit stays, so that the returned function
// can put the old value back. That of a process that has ended is no error.
func Rlimit(pid, resource int, cur uint64) (restore func() error, err error) {
	var old unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &old); err != nil {
		return nil, fmt.Errorf("read limit %d of %d: %w", resource, pid, err)
	}
	next := unix.Rlimit{Cur: min(cur, old.Max), Max: old.Max}
	if err := unix.Prlimit(pid, resource, &next, nil); err != nil {
		return nil, fmt.Errorf("set limit %d of %d: %w", resource, pid, err)
	}
	return func() error {
		if err := unix.Prlimit(pid, resource, &old, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("restore limit %d of %d: %w", resource, pid, err)
		}
		return nil
	}, nil
}

// groupPrefix starts the names of memory groups, with the pid of their maker.
const groupPrefix = "gorsyncd-lab-"

// LimitMemory limits the memory of a running process and the children that it
// starts: with a control group where the machine has the memory controller,
// else its address space (RLIMIT_AS), which is stricter. What exceeds a group
// is killed by the kernel. The process's present memory is not moved along.
func LimitMemory(pid int, bytes int64) (restore func() error, err error) {
	parent, file, err := memoryGroup(pid)
	if err != nil {
		return Rlimit(pid, unix.RLIMIT_AS, uint64(bytes))
	}
	group, err := os.MkdirTemp(parent, fmt.Sprintf("%s%d-", groupPrefix, os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("make memory group: %w", err)
	}
	undo := func() error { return dissolve(group, parent) }
	if err := os.WriteFile(filepath.Join(group, file), []byte(strconv.FormatInt(bytes, 10)), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("limit memory: %w", err), undo())
	}
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("limit memory of %d: %w", pid, err), undo())
	}
	return undo, nil
}

// memoryGroup is the directory of pid's group in the hierarchy that has the
// memory controller, and the name of the limit's file there.
func memoryGroup(pid int) (dir, limit string, err error) {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", "", fmt.Errorf("groups of %d: %w", pid, err)
	}
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		v1 := strings.Contains(","+f[1]+",", ",memory,")
		if !v1 && f[1] != "" {
			continue
		}
		for _, m := range groupMounts(v1) {
			dir := filepath.Join(m, f[2])
			if v1 {
				return dir, "memory.limit_in_bytes", nil
			}
			if has, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control")); strings.Contains(string(has), "memory") {
				return dir, "memory.max", nil
			}
		}
	}
	return "", "", unsupported("memory group", "no hierarchy with the memory controller")
}

// groupMounts lists where the hierarchy is mounted: version 1 with the memory
// controller, or version 2.
func groupMounts(v1 bool) []string {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return nil // no /proc, no groups
	}
	var dirs []string
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		if v1 && f[2] == "cgroup" && strings.Contains(","+f[3]+",", ",memory,") || !v1 && f[2] == "cgroup2" {
			dirs = append(dirs, f[1])
		}
	}
	return dirs
}

// dissolve moves what is left in group to parent and removes it.
func dissolve(group, parent string) error {
	pids, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("dissolve group: %w", err)
	}
	for _, pid := range strings.Fields(string(pids)) {
		err := os.WriteFile(filepath.Join(parent, "cgroup.procs"), []byte(pid), 0)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("dissolve group: %w", err)
		}
	}
	if err := os.Remove(group); err != nil {
		return fmt.Errorf("dissolve group: %w", err)
	}
	return nil
}
