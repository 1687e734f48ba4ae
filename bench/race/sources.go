package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gorsyncd/bench/testbed"
)

var sources = &scenario{name: "sources", title: "Many sources, and what others do on their file system", run: runSources}

// beside is what one number of sources costs while nothing changes in them.
type beside struct {
	idle    time.Duration // processor time of the daemon while nothing happens at all
	woken   float64       // wake-ups a second meanwhile
	perFile time.Duration // that making a file elsewhere takes whoever makes it
	cpu     time.Duration // processor time of the daemon for all of these files
	backend string        // in use
}

func runSources(r *rig) (*section, error) {
	counts, files := []int{0, 1, 10, 50}, r.size(200, 5000, 50_000)
	if r.o.level == mini {
		counts = []int{0, 1, 3}
	}
	idle := time.Duration(r.size(200, 5_000, 30_000)) * time.Millisecond
	s := &section{}
	s.printf("One daemon, sources of 10 files each, one remote each: a directory on another file system. %.0f s in which nothing happens; then one process makes %d files of one byte elsewhere on the file system of the sources.\n",
		idle.Seconds(), files)
	if n := r.rounds(1, 1, 3); n > 1 {
		s.printf("Medians of %d rounds.\n", n)
	}
	var rows [][]string
	p := r.first() // how fast a disk makes files depends on what was removed there
	for _, n := range counts {
		var rounds []beside
		for range r.rounds(1, 1, 3) {
			b, err := r.besides(p, n, files, idle)
			if err != nil {
				return nil, fmt.Errorf("%d sources: %w", n, err)
			}
			rounds = append(rounds, b)
		}
		rows = append(rows, besideRow(n, files, idle, rounds))
	}
	s.table([]string{"", "backend", "idle, % of a core", "idle, wake-ups a second", "to make a file elsewhere, µs", "CPU of the daemon for it, µs"}, rows)
	return s, nil
}

func besideRow(n, files int, idle time.Duration, rounds []beside) []string {
	of := func(get func(beside) time.Duration) time.Duration {
		var all []time.Duration
		for _, b := range rounds {
			all = append(all, get(b))
		}
		return median(all)
	}
	us := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Microsecond)) }
	row := []string{"nobody watches", "–", "–", "–", us(of(func(b beside) time.Duration { return b.perFile })), "–"}
	if n > 0 {
		var woken []float64
		for _, b := range rounds {
			woken = append(woken, b.woken)
		}
		row[0], row[1] = fmt.Sprintf("gorsyncd, %d sources", n), rounds[0].backend
		if n == 1 {
			row[0] = "gorsyncd, 1 source"
		}
		row[2] = fmt.Sprintf("%.2f", 100*of(func(b beside) time.Duration { return b.idle }).Seconds()/idle.Seconds())
		row[3] = fmt.Sprintf("%.1f", median(woken))
		row[5] = us(of(func(b beside) time.Duration { return b.cpu }) / time.Duration(files))
	}
	return row
}

// besides measures n sources once.
func (r *rig) besides(p place, n, files int, idle time.Duration) (b beside, err error) {
	// They go with the place: where files were removed some file systems are slower.
	dir, err := openDir(p.dir, "sources")
	if err != nil {
		return b, err
	}
	copies, err := openDir(p.copies, "sources")
	if err != nil {
		return b, err
	}
	var run *runner
	if n > 0 {
		if run, err = r.manySources(dir, copies, n); err != nil {
			return b, err
		}
		defer run.stop()
		if b.backend, err = backendOf(run.g); err != nil {
			return b, err
		}
		if err := run.watchIdle(&b, idle); err != nil {
			return b, err
		}
	}
	var before time.Duration
	if run != nil {
		if before, err = run.cpu(); err != nil {
			return b, err
		}
	}
	took, err := makeFiles(filepath.Join(dir, "elsewhere"), files)
	b.perFile = took / time.Duration(files)
	if err != nil || run == nil {
		return b, err
	}
	time.Sleep(100 * time.Millisecond) // what is left in the queue
	after, err := run.cpu()
	b.cpu = after - before
	return b, err
}

// makeFiles makes small files in a new directory, and tells how long that took.
func makeFiles(dir string, n int) (time.Duration, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, err
	}
	begin := time.Now()
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte("x"), 0o644); err != nil {
			return 0, err
		}
	}
	return time.Since(begin), nil
}

func (run *runner) watchIdle(b *beside, idle time.Duration) error {
	before, err := run.atRest(min(idle, 5*time.Second))
	if err != nil {
		return err
	}
	woken, err := run.wakeups()
	if err != nil {
		return err
	}
	time.Sleep(idle)
	after, err := run.cpu()
	if err != nil {
		return err
	}
	now, err := run.wakeups()
	b.idle, b.woken = after-before, float64(now-woken)/idle.Seconds()
	return err
}

// manySources starts a daemon for n sources.
func (r *rig) manySources(dir, copies string, n int) (*runner, error) {
	var c strings.Builder
	c.WriteString("sources:\n")
	for i := range n {
		src, dst := filepath.Join(dir, fmt.Sprintf("s%d", i)), filepath.Join(copies, fmt.Sprintf("s%d", i))
		if err := (tree{files: 10, dirs: 1, size: 100}).make(src); err != nil {
			return nil, err
		}
		if err := os.Mkdir(dst, 0o755); err != nil {
			return nil, err
		}
		fmt.Fprintf(&c, "  - {name: s%d, path: %q, remotes: [{name: r, target: %q}]}\n", i, src, dst)
	}
	g, err := testbed.NewGorsyncdIn(r.o.binary, dir, filepath.Join(dir, "state"), c.String())
	if err != nil {
		return nil, err
	}
	return spawn(g)
}

// backendOf is what reports on the first source.
func backendOf(g *testbed.Gorsyncd) (string, error) {
	st, err := readStatus(g)
	if err != nil {
		return "", err
	}
	return st.Sources[0].Backend, nil
}
