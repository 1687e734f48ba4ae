package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"gorsyncd/bench/lab"
)

var dirs = &scenario{name: "dirs", title: "Many directories", run: runDirs}

// starts is how a program starts on a tree of directories.
type starts struct {
	first, again time.Duration
	unwatched    int
	lab.Memory
}

func runDirs(r *rig) (*section, error) {
	n := r.size(200, 5000, 200_000)
	s := &section{}
	s.printf("%d directories with nothing in them. From the start of the program until it watches all of them and has read them: for gorsyncd until a flush is answered, the first time, when it makes its index, and after a restart; nothing is compared with the remote. inotifywait is `inotifywait -mr`, until it says that it watches. Kernel limits are the defaults; without a watch is what inotify had none left for, and gorsyncd looks at such directories from time to time.\n", n)
	w, err := r.newWorld(r.first(), setup{never: true})
	if err != nil {
		return nil, err
	}
	defer w.close()
	if err := (tree{dirs: n}).make(w.src); err != nil {
		return nil, err
	}
	var rows [][]string
	for _, backend := range []string{"fanotify", "inotify"} {
		var all []starts
		for range r.rounds(1, 1, 3) {
			st, err := r.startsOn(w, backend)
			if err != nil {
				return nil, err
			}
			all = append(all, st)
		}
		of := func(get func(starts) time.Duration) time.Duration {
			var d []time.Duration
			for _, st := range all {
				d = append(d, get(st))
			}
			return median(d)
		}
		first, again := of(func(st starts) time.Duration { return st.first }), of(func(st starts) time.Duration { return st.again })
		rows = append(rows, []string{"gorsyncd, " + backend, secs(first), secs(again), fmt.Sprint(all[0].unwatched), mib(all[0].RSS)})
		if backend == "fanotify" {
			s.goal(fmt.Sprintf("%d directories, first start with fanotify", n), "s", first.Seconds(), 3)
		}
	}
	took, failure, err := watchAll(w.src)
	switch {
	case err != nil:
		rows = append(rows, []string{"inotifywait", "– (" + err.Error() + ")", "–", "–", "–"})
	case failure != "":
		rows = append(rows, []string{"inotifywait", fmt.Sprintf("gives up after %s s: %s", secs(took), failure), "–", "–", "–"})
	default:
		rows = append(rows, []string{"inotifywait", secs(took), secs(took), "0", "–"})
	}
	s.table([]string{"", "first start, s", "restart, s", "without a watch", "resident MiB after the restart"}, rows)
	return s, nil
}

// startsOn measures both starts of a daemon that has no state yet.
func (r *rig) startsOn(w *world, backend string) (st starts, err error) {
	own := *w
	own.config = "watch: {backend: " + backend + "}"
	if own.state, err = openDir(r.first().dir, "state"); err != nil {
		return st, err
	}
	for _, took := range []*time.Duration{&st.first, &st.again} {
		begin := time.Now()
		run, err := startGorsyncd(r, &own, ours)
		if err != nil {
			return st, err
		}
		*took = time.Since(begin)
		doc, err := readStatus(run.g)
		if err == nil && doc.Sources[0].Backend != backend {
			err = fmt.Errorf("%s is not to be had: the source uses %s", backend, doc.Sources[0].Backend)
		}
		if err == nil {
			st.unwatched = doc.Sources[0].Unwatched
			st.Memory, err = run.memory()
		}
		run.stop()
		if err != nil {
			return st, err
		}
	}
	return st, nil
}

// watchAll has inotifywait watch a tree. failure is what it says when it cannot.
func watchAll(root string) (took time.Duration, failure string, err error) {
	cmd := exec.Command("inotifywait", "-mr", root)
	out, err := cmd.StderrPipe()
	if err != nil {
		return 0, "", err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, "", fmt.Errorf("start inotifywait: %w", err)
	}
	defer func() {
		_ = cmd.Process.Kill() // it ends with the measurement
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}()
	last := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "Watches established") {
			return time.Since(begin), "", nil
		}
		last = strings.ReplaceAll(lines.Text(), root, "the tree")
		if strings.Contains(last, "limit") {
			break
		}
	}
	if last == "" {
		return 0, "", errors.New("inotifywait ended")
	}
	return time.Since(begin), last, nil
}
