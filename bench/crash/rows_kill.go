package main

import (
	"fmt"
	"syscall"
	"time"

	"gorsyncd/bench/lab"
	"gorsyncd/journal/failpoint"
)

func killRows() []*row {
	return []*row{
		{name: "kill", what: "SIGKILL of the daemon at a random moment, up to eight in a row, also during the recovery from the last", weight: 5, inject: killRandom},
		{name: "kill-failpoint", what: "SIGKILL at each named failpoint: before and after lstat, commit, rsync, cursor commit; in scan, truncation, full sync, Badger's flush and compaction", inject: killAtFailpoint},
		{name: "commit-error", what: "a commit of the journal fails", inject: commitError},
		{name: "kill-rsync", what: "SIGKILL of a running rsync below the daemon", inject: killChild},
		{name: "term", what: "SIGTERM at a random moment and start again", inject: terminate},
	}
}

func killRandom(w *world) error {
	for range 1 + w.rnd.IntN(8) {
		w.after(10*time.Millisecond, 500*time.Millisecond)
		if err := w.kill(); err != nil {
			return err
		}
		w.fault("SIGKILL")
		if err := w.daemon.Spawn(); err != nil {
			return err
		}
	}
	w.after(0, 200*time.Millisecond)
	return nil
}

// killAtFailpoint has the daemon kill itself at one named place, or, when that
// is not passed in time, is killed there and then.
func killAtFailpoint(w *world) error {
	name := failpoint.Names[w.rnd.IntN(len(failpoint.Names))]
	if name == "journal.commit" { // only for errors
		name = "*"
	}
	hit := 1 + w.rnd.IntN(1+w.rnd.IntN(20))
	if name == "*" {
		hit = 1 + w.rnd.IntN(600)
	}
	w.daemon.Stop()
	w.fault("failpoint %s hit %d", name, hit)
	if err := w.spawnWith(fmt.Sprintf("%s=kill@%d", name, hit)); err != nil {
		return err
	}
	if err := w.provoke(name); err != nil {
		return err
	}
	select {
	case <-w.daemon.Done():
		w.kills++
		w.fault("killed at %s", name)
		return nil
	case <-time.After(2500 * time.Millisecond):
		w.fault("not passed in time, SIGKILL")
		return w.kill()
	}
}

// spawnWith starts the daemon once with failpoints.
func (w *world) spawnWith(failpoints string) error {
	before := w.daemon.Env
	w.daemon.Env = append(before[:len(before):len(before)], "GORSYNCD_FAILPOINTS="+failpoints)
	defer func() { w.daemon.Env = before }()
	return w.daemon.Spawn()
}

// provoke makes the daemon pass places that it does not pass by itself.
func (w *world) provoke(name string) error {
	if len(name) > 14 && (name[:14] == "replicate.full" || name == "replicate.reconcile") {
		if err := w.daemon.WaitAnswer(10 * time.Second); err != nil {
			return nil // it has met its failpoint already
		}
		_, _, err := w.daemon.Run("sync")
		return err
	}
	return nil
}

func commitError(w *world) error {
	w.daemon.Stop()
	if err := w.spawnWith(fmt.Sprintf("journal.commit=error@%d", 1+w.rnd.IntN(80))); err != nil {
		return err
	}
	select {
	case <-w.daemon.Done():
		w.fault("ended after a failed commit")
		return nil
	case <-time.After(5 * time.Second):
		w.daemon.Stop()
		return nil
	}
}

// killChild kills one rsync that the daemon runs.
func killChild(w *world) error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		kids := lab.Children(w.daemon.Pid())
		if len(kids) == 0 {
			continue
		}
		pid := kids[w.rnd.IntN(len(kids))].PID
		w.fault("SIGKILL of child %d of %d", pid, len(kids))
		if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
			w.after(0, 300*time.Millisecond)
			return nil
		}
	}
	return fmt.Errorf("no rsync ran for 20 s")
}

func terminate(w *world) error {
	w.after(10*time.Millisecond, 600*time.Millisecond)
	if err := w.daemon.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-w.daemon.Done():
	case <-time.After(30 * time.Second):
		return fmt.Errorf("the daemon did not end within 30 s of SIGTERM")
	}
	return w.daemon.Spawn()
}
