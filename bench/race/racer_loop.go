package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// startLoop runs the loop of the tutorials: an rsync of the whole tree to each
// copy, one after the other, for each event.
func startLoop(_ *rig, w *world, rc *racer) (*runner, error) {
	log := filepath.Join(w.dir, "loop.log")
	var b strings.Builder
	fmt.Fprintf(&b, "inotifywait -mr -e modify,delete,create,attrib,close_write,move --format '%%w%%f' '%s' 2>>'%s' |\nwhile read -r file; do\n", w.src, log)
	for i := range w.dsts {
		fmt.Fprintf(&b, "  rsync %s '%s/' '%s/' </dev/null >/dev/null 2>&1\n", strings.Join(rsyncOptions(rc), " "), w.src, w.target(i))
	}
	b.WriteString("done\n")
	return startPeer(exec.Command("/bin/sh", "-c", b.String()), log, "Watches established", 1)
}

// rsyncOptions are those of a person's rsync.
func rsyncOptions(rc *racer) []string {
	o := []string{"-a", "--delete"}
	if rc.nodelay {
		o = append(o, "--sockopts=TCP_NODELAY")
	}
	return o
}
