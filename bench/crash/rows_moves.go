package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// moveFailpoints are the places that a move of a directory passes.
var moveFailpoints = []string{"replicate.move", "replicate.batch", "replicate.rsync.started", "replicate.rsync.exited", "replicate.commit.before",
	"replicate.commit.after", "replicate.retry", "watch.scan.dir", "watch.scan.flush", "journal.commit.before", "journal.commit.after"}

// movedDirs renames directories while the daemon is killed where it links them
// on the remotes: over what is there, in chains, back, into new ones, with edits
// and equal copies that stay, live and while it is down.
func movedDirs(w *world) error {
	dir, err := w.at("moves")
	if err != nil {
		return err
	}
	for range 1 + w.rnd.IntN(3) {
		name := moveFailpoints[w.rnd.IntN(len(moveFailpoints))]
		hit := 1 + w.rnd.IntN(1+w.rnd.IntN(12))
		w.daemon.Stop()
		if w.rnd.IntN(2) == 0 {
			if err := w.moveSome(dir); err != nil {
				return err
			}
		}
		w.fault("failpoint %s hit %d", name, hit)
		if err := w.spawnWith(fmt.Sprintf("%s=kill@%d", name, hit)); err != nil {
			return err
		}
		end := time.After(time.Duration(300+w.rnd.IntN(1200)) * time.Millisecond)
		for running := true; running; {
			if err := w.moveSome(dir); err != nil {
				return err
			}
			select {
			case <-w.daemon.Done():
				w.kills++
				w.fault("killed at %s", name)
				running = false
			case <-end:
				w.fault("not passed in time, SIGKILL")
				if err := w.kill(); err != nil {
					return err
				}
				running = false
			case <-time.After(time.Duration(w.rnd.IntN(120)) * time.Millisecond):
			}
		}
		if err := w.daemon.Spawn(); err != nil {
			return err
		}
	}
	return nil
}

// moveSome makes some of the moves.
func (w *world) moveSome(dir string) error {
	at := func() string { return filepath.Join(dir, string('a'+rune(w.rnd.IntN(5)))) }
	for range 1 + w.rnd.IntN(4) {
		from, to := at(), at()
		if w.rnd.IntN(3) == 0 {
			to = filepath.Join(at(), "sub", "x")
			_ = os.Mkdir(filepath.Dir(to), 0o755)
		}
		switch w.rnd.IntN(7) {
		case 0:
			if err := w.fillMoved(at()); err != nil {
				return err
			}
		case 1: // over what is there
			if from != to && !strings.HasPrefix(from, to+"/") && !strings.HasPrefix(to, from+"/") {
				_ = os.RemoveAll(to)
				_ = os.Rename(from, to)
			}
		case 2: // a chain
			_ = os.Rename(to, filepath.Join(dir, "z"))
			_ = os.Rename(from, to)
		case 3: // another content, with size and mtime as before
			file := filepath.Join(from, fmt.Sprint("f", w.rnd.IntN(8)))
			if fi, err := os.Lstat(file); err == nil {
				if err := errors.Join(put(file, fmt.Sprintf("%08d", w.rnd.IntN(1e8))+strings.Repeat("x", 3000)), os.Chtimes(file, fi.ModTime(), fi.ModTime())); err != nil {
					return err
				}
			}
		case 4: // an equal copy takes the place of what is moved away
			if os.Rename(from, to) == nil {
				_ = exec.Command("cp", "-a", to, from).Run()
			}
		default: // most are possible
			_ = os.Rename(from, to)
		}
	}
	return nil
}

func (w *world) fillMoved(dir string) error {
	for i := range 8 {
		file := filepath.Join(dir, fmt.Sprint("f", i))
		if err := errors.Join(os.MkdirAll(dir, 0o755), put(file, fmt.Sprintf("%08d", w.rnd.IntN(1e8))+strings.Repeat("x", 3000))); err != nil {
			return err
		}
	}
	return nil
}
