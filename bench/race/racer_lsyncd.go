package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gorsyncd/bench/testbed"
)

// startLsyncd runs lsyncd with its default layer for rsync, archive mode, which
// it does not have by itself, and one sync for each copy.
func startLsyncd(delay int) func(*rig, *world, *racer) (*runner, error) {
	return func(_ *rig, w *world, rc *racer) (*runner, error) {
		extra := ""
		if rc.nodelay {
			extra = `, _extra = {"--sockopts=TCP_NODELAY"}`
		}
		log := filepath.Join(w.dir, "lsyncd.log")
		_ = os.Remove(log) // what a run before said is not about this one
		var b strings.Builder
		fmt.Fprintf(&b, "settings { nodaemon = true, logfile = %q }\n", log)
		for i := range w.dsts {
			fmt.Fprintf(&b, "sync { default.rsync, source = %q, target = %q, delay = %d, rsync = { archive = true%s } }\n", w.src, w.target(i), delay, extra)
		}
		conf := filepath.Join(w.dir, "lsyncd.lua")
		if err := os.WriteFile(conf, []byte(b.String()), 0o600); err != nil {
			return nil, err
		}
		return startPeer(exec.Command("lsyncd", conf), log, "finished.", len(w.dsts))
	}
}

// startPeer starts a program and waits until its log has the word so many times.
func startPeer(cmd *exec.Cmd, log, word string, times int) (*runner, error) {
	p, err := testbed.StartProcess(cmd)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(readyLimit(1_000_000)); ; {
		said, _ := os.ReadFile(log) // not there yet
		if bytes.Count(said, []byte(word)) >= times {
			return &runner{pids: []int{p.Pid()}, stop: p.Kill}, nil
		}
		select {
		case <-p.Done():
			return nil, fmt.Errorf("%s ended: %w\n%s", cmd.Path, p.Wait(), said)
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.Kill()
			return nil, fmt.Errorf("%s does not get ready\n%s", cmd.Path, said)
		}
	}
}
