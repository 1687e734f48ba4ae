package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Computed is the time that all processors of the machine have spent at work since
// it was started, see /proc/stat in proc(5): not idle, nor waiting for a disk or for
// the machine's host.
func Computed() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line) // cpu user nice system idle iowait irq softirq …
	if len(f) < 8 {
		return 0, fmt.Errorf("read processor time: /proc/stat begins with %q", line)
	}
	var ticks int64
	for _, i := range []int{1, 2, 3, 6, 7} {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read processor time: /proc/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}
