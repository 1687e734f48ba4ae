package main

import (
	"fmt"
	"time"

	"gorsyncd/bench/lab"
)

var memory = &scenario{name: "memory", title: "A large tree, idle", run: runMemory}

// holding is what a program holds and does while nothing changes.
type holding struct {
	name  string
	ready time.Duration
	lab.Memory
	cpu      time.Duration // over the watched time
	children int
}

func runMemory(r *rig) (*section, error) {
	files := r.size(600, 20_000, 1_000_000)
	idle := time.Duration(r.size(200, 10_000, 60_000)) * time.Millisecond
	s := &section{}
	s.printf("One remote, which is equal. Start is the first one: gorsyncd indexes the tree and compares it with the copy, lsyncd runs its startup rsync. Then nothing changes for %.0f s. Anonymous memory is what the program holds itself, resident memory includes mapped files, which the kernel takes back when it needs them.\n", idle.Seconds())
	var rows [][]string
	add := func(h holding) {
		rows = append(rows, []string{h.name, secs(h.ready), mib(h.RSS), mib(h.Anon), fmt.Sprintf("%.2f", h.cpu.Seconds()), fmt.Sprint(h.children)})
	}
	pr, err := r.pair(r.first(), millionTree(files))
	if err != nil {
		return nil, err
	}
	for _, rc := range r.present(ours, lsyncd) {
		w, err := r.newWorld(r.first(), setup{pair: pr})
		if err != nil {
			return nil, err
		}
		h, err := r.hold(w, rc, idle, nil)
		w.close()
		if err != nil {
			return nil, err
		}
		h.name = fmt.Sprintf("%s, %d files in %d directories", rc.name, files, millionTree(files).dirs)
		add(h)
		if rc == ours {
			s.goal(fmt.Sprintf("resident, %d files", files), "MiB", float64(h.RSS)/(1<<20), 150)
		}
	}
	if r.o.big {
		r.drop()
		for _, h := range []func() (holding, error){r.holdBig, r.holdBacklog} {
			got, err := h()
			if err != nil {
				return nil, err
			}
			add(got)
		}
	}
	s.table([]string{"", "start, s", "resident MiB", "anonymous MiB", "CPU seconds while idle", "children"}, rows)
	return s, nil
}

// hold starts a racer, lets then happen, and looks at it while it is idle.
func (r *rig) hold(w *world, rc *racer, idle time.Duration, then func(*runner) error) (h holding, err error) {
	begin := time.Now()
	run, err := rc.start(r, w, rc)
	if err != nil {
		return h, err
	}
	defer run.stop()
	h.ready = time.Since(begin)
	if then != nil {
		if err := then(run); err != nil {
			return h, err
		}
	}
	before, err := run.atRest(min(idle, 10*time.Second))
	if err != nil {
		return h, err
	}
	time.Sleep(idle)
	after, err := run.cpu()
	if err != nil {
		return h, err
	}
	h.cpu, h.children = after-before, len(run.children())
	h.Memory, err = run.memory()
	return h, err
}

// atRest waits until a program has done what is left to do in the background:
// until it computes for less than a hundredth of a time in which nothing changes,
// for two minutes at most. It returns what it has computed in all.
func (run *runner) atRest(quiet time.Duration) (time.Duration, error) {
	before, err := run.cpu()
	for deadline := time.Now().Add(2 * time.Minute); err == nil && time.Now().Before(deadline); {
		time.Sleep(quiet)
		last := before
		if before, err = run.cpu(); before-last < quiet/100 {
			break
		}
	}
	return before, err
}

// holdBig is gorsyncd with five million files in 200,000 directories and a
// remote that is compared with nothing at the start: a copy of the tree would
// take as much memory again.
func (r *rig) holdBig() (holding, error) {
	t := tree{files: r.size(3000, 100_000, 5_000_000), dirs: r.size(100, 4000, 200_000)}
	w, err := r.newWorld(r.first(), setup{never: true})
	if err != nil {
		return holding{}, err
	}
	defer w.close()
	if err := t.make(w.src); err != nil {
		return holding{}, err
	}
	h, err := r.hold(w, ours, time.Duration(r.size(200, 10_000, 10_000))*time.Millisecond, nil)
	h.name = fmt.Sprintf("gorsyncd, %d files in %d directories, no full sync", t.files, t.dirs)
	return h, err
}

// holdBacklog is gorsyncd with a remote that is paused while a million files
// appear.
func (r *rig) holdBacklog() (holding, error) {
	t := millionTree(r.size(500, 20_000, 1_000_000))
	w, err := r.newWorld(r.first(), setup{})
	if err != nil {
		return holding{}, err
	}
	defer w.close()
	h, err := r.hold(w, ours, time.Duration(r.size(200, 10_000, 10_000))*time.Millisecond, func(run *runner) error {
		if out, code, err := run.g.Run("pause", "s/*"); err != nil || code != 0 {
			return fmt.Errorf("pause: exit status %d, %w: %s", code, err, out)
		}
		if err := t.make(w.src); err != nil {
			return err
		}
		return awaitEntries(run, t.files, readyLimit(t.files))
	})
	h.name = fmt.Sprintf("gorsyncd, a backlog of %d entries for a paused remote", t.files)
	return h, err
}

// awaitEntries waits until a remote has so many entries before it.
func awaitEntries(run *runner, atLeast int, limit time.Duration) error {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(time.Second) {
		st, err := readStatus(run.g)
		if err != nil {
			return err
		}
		if st.Remotes[0].Lag >= atLeast {
			return nil
		}
	}
	return fmt.Errorf("the backlog does not reach %d entries", atLeast)
}
