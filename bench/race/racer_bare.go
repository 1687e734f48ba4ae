package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// runBare copies the tree, or only some of its paths, to every copy in turn and
// returns the time until the last rsync has ended.
func runBare(w *world, rc *racer, paths ...string) (time.Duration, error) {
	begin := time.Now()
	for i := range w.dsts {
		args := rsyncOptions(rc)
		if w.ssh {
			args = []string{"-a", "--delete", "-e", w.shell()}
		}
		if len(paths) == 0 {
			args = append(args, w.src+"/")
		}
		for _, p := range paths {
			args = append(args, filepath.Join(w.src, p))
		}
		args = append(args, w.target(i)+"/")
		cmd := exec.Command("rsync", args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("rsync %q: %w: %s", args, err, out)
		}
		w.spent += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return time.Since(begin), nil
}
