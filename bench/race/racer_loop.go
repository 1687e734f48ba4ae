package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gorsyncd/bench/testbed"
)

// startLoop runs the loop of the tutorials, inotifywait | while read: an rsync of
// the whole tree to each copy, one after the other, for each event. The two sides
// of the pipe are started apart, so that both die with us.
func startLoop(_ *rig, w *world, rc *racer) (*runner, error) {
	var b strings.Builder
	b.WriteString("while read -r file; do\n")
	for i := range w.dsts {
		fmt.Fprintf(&b, "  rsync %s '%s/' '%s/' </dev/null >/dev/null 2>&1\n", strings.Join(rsyncOptions(rc), " "), w.src, w.target(i))
	}
	b.WriteString("done\n")
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer from.Close()
	defer to.Close()
	name := filepath.Join(w.dir, "loop.log")
	log, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	shell := exec.Command("/bin/sh", "-c", b.String())
	shell.Stdin = from
	reader, err := testbed.StartProcess(shell)
	if err != nil {
		return nil, err
	}
	watch := exec.Command("inotifywait", "-mr", "-e", "modify,delete,create,attrib,close_write,move", "--format", "%w%f", w.src)
	watch.Stdout, watch.Stderr = to, log
	run, err := startPeer(watch, name, "Watches established", 1)
	if err != nil {
		reader.Kill()
		return nil, err
	}
	stop := run.stop
	run.pids = append(run.pids, reader.Pid())
	run.stop = func() { stop(); reader.Kill() }
	return run, nil
}

// rsyncOptions are those of a person's rsync.
func rsyncOptions(rc *racer) []string {
	o := []string{"-a", "--delete"}
	if rc.nodelay {
		o = append(o, "--sockopts=TCP_NODELAY")
	}
	return o
}
