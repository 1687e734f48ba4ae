package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Child is a descendant of a process.
type Child struct {
	PID    int
	Parent int
	Name   string   // the kernel's short name, such as "rsync"
	Args   []string // empty for a zombie
}

// Children lists the living descendants of pid, parents before their children,
// the oldest pid first. Processes may come and go meanwhile.
func Children(pid int) []Child {
	byParent := map[int][]Child{}
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is valid
	for _, dir := range dirs {
		if c, ok := readProcess(dir); ok {
			byParent[c.Parent] = append(byParent[c.Parent], c)
		}
	}
	var all []Child
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		kids := byParent[queue[0]]
		slices.SortFunc(kids, func(a, b Child) int { return a.PID - b.PID })
		for _, c := range kids {
			all = append(all, c)
			queue = append(queue, c.PID)
		}
	}
	return all
}

// readProcess reads one directory of /proc; false if the process is gone or a
// zombie.
func readProcess(dir string) (Child, bool) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Child{}, false
	}
	// pid (name) state ppid …; the name may hold anything, also parentheses.
	s := string(stat)
	open, end := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')')
	rest := strings.Fields(s[end+1:])
	if open < 0 || end < open || len(rest) < 2 || rest[0] == "Z" || rest[0] == "X" {
		return Child{}, false
	}
	c := Child{Name: s[open+1 : end]}
	if c.PID, err = strconv.Atoi(filepath.Base(dir)); err != nil {
		return Child{}, false
	}
	if c.Parent, err = strconv.Atoi(rest[1]); err != nil {
		return Child{}, false
	}
	if cmd, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil && len(cmd) > 0 {
		c.Args = strings.Split(strings.TrimSuffix(string(cmd), "\x00"), "\x00")
	}
	return c, true
}

// Users lists the processes that keep the disk busy: with a file open or mapped
// on it, or a directory of it as theirs. This process can be among them.
func (d *Disk) Users() []int {
	var pids []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if d.usedBy(dir) {
			if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func (d *Disk) usedBy(proc string) bool {
	var st syscall.Stat_t
	if syscall.Stat(d.Path, &st) != nil {
		return false
	}
	links := []string{proc + "/cwd", proc + "/root", proc + "/exe"}
	for _, pattern := range []string{"/fd/*", "/map_files/*"} {
		more, _ := filepath.Glob(proc + pattern)
		links = append(links, more...)
	}
	for _, link := range links {
		var used syscall.Stat_t
		if syscall.Stat(link, &used) == nil && used.Dev == st.Dev {
			return true
		}
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, d.Path+"/") {
			return true // btrfs files have a device number of their own
		}
	}
	return false
}

// Signal sends sig to the children of pid with this name and returns their
// pids, so that a test stops or kills one rsync and not its daemon.
func Signal(pid int, name string, sig syscall.Signal) ([]int, error) {
	var pids []int
	for _, c := range Children(pid) {
		if c.Name != name {
			continue
		}
		if err := syscall.Kill(c.PID, sig); err != nil && err != syscall.ESRCH {
			return pids, fmt.Errorf("signal %d: %w", c.PID, err)
		}
		pids = append(pids, c.PID)
	}
	return pids, nil
}
