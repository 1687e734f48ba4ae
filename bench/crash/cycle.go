package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// indexEvery is how many cycles pass between two comparisons of the index.
const indexEvery = 5

// cycle injects one fault, waits for quiet and judges, unless a later cycle will.
func (w *world) cycle(n int, judge bool) (kills int, err error) {
	w.kills = 0
	w.fault("cycle %d", n)
	if !w.row.idle {
		w.load.start()
	}
	err = w.row.inject(w)
	w.load.stop()
	if err != nil {
		return w.kills, fmt.Errorf("inject: %w", err)
	}
	w.fault("healed")
	if err := w.quiet(); err != nil {
		return w.kills, err
	}
	if w.row.verify != nil {
		if err := w.row.verify(w); err != nil {
			return w.kills, err
		}
	}
	w.fault("quiet")
	if !judge {
		return w.kills, nil
	}
	bad := w.judge()
	if n%indexEvery == indexEvery-1 && len(bad) == 0 {
		if bad, err = w.checkIndex(); err != nil {
			return w.kills, err
		}
	}
	if len(bad) > 0 {
		if len(bad) > 30 {
			bad = append(bad[:30], fmt.Sprintf("… and %d more", len(bad)-30))
		}
		return w.kills, fmt.Errorf("%w:\n%s", errDiverged, strings.Join(bad, "\n"))
	}
	w.watch.blind(w.row.blind) // the next cycle's fault may look away again
	return w.kills, nil
}

// run does n cycles of a row in one world and calls told after each. It stops
// at the first failure, which keeps the directory.
func run(j job, dir, bin string, short bool, until time.Time, told func(result)) error {
	r, fs, seed := j.row, j.fs, j.seed
	w, err := newWorld(r, dir, bin, fs, seed)
	if err != nil {
		return err
	}
	w.short = short
	defer func() {
		w.close()
		if err == nil {
			os.RemoveAll(dir)
		}
	}()
	if err = w.quiet(); err != nil {
		return fmt.Errorf("%s: before the first fault: %w", r.name, err)
	}
	var open []result // not judged yet
	for i := range j.n {
		if time.Now().After(until) {
			return nil
		}
		begin := time.Now()
		judge := i == j.n-1 || i%max(1, r.judged) == max(1, r.judged)-1
		var kills int
		kills, err = w.cycle(i, judge)
		open = append(open, result{Row: r.name, FS: fs, Seed: seed, Cycle: i, Kills: kills, Equal: err == nil, Seconds: time.Since(begin).Seconds(), Looks: w.watch.looked()})
		if judge || err != nil {
			for _, res := range open {
				res.Equal = err == nil // the fault that came before may be the one
				told(res)
			}
			open = nil
		}
		if err != nil {
			w.keep(err)
			return fmt.Errorf("%s on %s, cycle %d: %w\nkept in %s; again with:\n  go run ./bench/crash -row %s -fs %s -seed %d -faults %d",
				r.name, fs, i, err, dir, r.name, fs, seed, i+1)
		}
	}
	return nil
}

// keep copies what explains a failure out of the disks, which go away.
func (w *world) keep(why error) {
	_ = os.WriteFile(filepath.Join(w.dir, "why"), []byte(why.Error()+"\n"), 0o644)
	w.daemon.Stop()
	for _, d := range append([]string{w.src, w.state}, w.remotes[0].path, w.remotes[1].path) {
		if !strings.HasPrefix(d, filepath.Join(w.dir, "host")) && !strings.HasPrefix(d, filepath.Join(w.dir, "far")) || w.fs == "dir" {
			continue
		}
		_ = exec.Command("cp", "-a", "--sparse=always", d, filepath.Join(w.dir, "kept-"+filepath.Base(d))).Run()
	}
}
