package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc: sysconf(_SC_CLK_TCK) is 100 on Linux.
const tick = 10 * time.Millisecond

// CPU is the processor time, user and system, that a process, its living
// descendants and the children that they waited for have used, see proc(5).
func CPU(pid int) (time.Duration, error) {
	sum, err := cpuOf(pid)
	if err != nil {
		return 0, err
	}
	for _, c := range Children(pid) {
		if more, err := cpuOf(c.PID); err == nil { // one that is gone counts with its parent
			sum += more
		}
	}
	return sum, nil
}

// cpuOf sums utime, stime, cutime and cstime.
func cpuOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:]) // from the state, field 3, on
	if len(f) < 15 {
		return 0, fmt.Errorf("read processor time: /proc/%d/stat has %d fields", pid, len(f)+2)
	}
	var ticks int64
	for _, v := range f[11:15] {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read processor time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// Memory is what a process holds in memory, in bytes.
type Memory struct {
	RSS     int64 // with mapped files, which the kernel takes back when it needs to
	Anon    int64 // without
	Threads int
}

// ReadMemory reads it.
func ReadMemory(pid int) (Memory, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("read process status: %w", err)
	}
	var m Memory
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			continue // a field of another kind
		}
		switch f[0] {
		case "VmRSS:":
			m.RSS = n << 10
		case "RssAnon:":
			m.Anon = n << 10
		case "Threads:":
			m.Threads = int(n)
		}
	}
	return m, nil
}

// Wakeups is how often threads of a process and its descendants have given up a
// processor by themselves, which is how often they were woken.
func Wakeups(pid int) (int64, error) {
	pids := []int{pid}
	for _, c := range Children(pid) {
		pids = append(pids, c.PID)
	}
	var sum int64
	for _, p := range pids {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p))
		if err != nil {
			return 0, err
		}
		for _, t := range tasks {
			sum += voluntary(t)
		}
	}
	return sum, nil
}

// voluntary is 0 for a thread that is gone.
func voluntary(status string) int64 {
	b, err := os.ReadFile(status)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64) // the kernel's own number
			return n
		}
	}
	return 0
}
