package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

var processor = &scenario{name: "cpu", title: "Processor time of a steady stream, and of nothing", run: runProcessor}

// streamRate is how many files a second the stream writes.
const streamRate = 100

// stream writes a file every hundredth of a second, all different, in ten
// directories.
func stream(n int) func(src string) error {
	return func(src string) error {
		tick := time.NewTicker(time.Second / streamRate)
		defer tick.Stop()
		for i := range n {
			<-tick.C
			dir := filepath.Join(src, fmt.Sprintf("in%d", i%10))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("upload%05d", i)), []byte("a small change\n"), 0o644); err != nil {
				return err
			}
		}
		return nil
	}
}

func runProcessor(r *rig) (*section, error) {
	n := r.size(20, 500, 3000)
	name := fmt.Sprintf("%d files", n)
	racers := []*racer{ours, lsyncd, lsyncd0, loop, loopND}
	g, err := r.run([]task{{name: name, place: r.first(), racers: racers, rounds: r.rounds(1, 1, 1),
		trial: trial{before: (tree{files: 1000, dirs: 10, size: 1000}).make, change: thenRead(stream(n)), rest: true}}})
	if err != nil {
		return nil, err
	}
	idle := time.Duration(r.size(200, 10_000, 60_000)) * time.Millisecond
	woken, err := r.wakeups(racers, idle)
	if err != nil {
		return nil, err
	}
	s := &section{}
	s.printf("%d new files a second for %d s beside 1,000 others; processor time, user and system, of the program and the children it waited for, until the copy was equal and the program at rest; ≥ marks one that still was not %.0f s later. The other end, the rsync daemon, is not in it. Wake-ups are those of all threads of the program and its children over %.0f s in which nothing changes.\n", streamRate, n/streamRate, r.o.limit.Seconds(), idle.Seconds())
	var rows [][]string
	for _, rc := range r.present(racers...) {
		os := g.of(name, rc)
		var cpu []time.Duration
		for _, o := range os {
			cpu = append(cpu, o.cpu)
		}
		mark := ""
		if slices.ContainsFunc(os, func(o outcome) bool { return o.busy }) {
			mark = "≥ " // and counting
		}
		rows = append(rows, []string{rc.name, os.String(), mark + secs(median(cpu)), mark + ms(median(cpu)/time.Duration(n)), fmt.Sprintf("%.1f", woken[rc])})
	}
	s.table([]string{"", "from the first file until equal, s", "CPU s", "CPU ms a file", "wake-ups a second, idle"}, rows)
	return s, nil
}

// wakeups has all racers idle beside each other.
func (r *rig) wakeups(racers []*racer, idle time.Duration) (map[*racer]float64, error) {
	runs := map[*racer]*runner{}
	for _, rc := range r.present(racers...) {
		w, err := r.newWorld(r.first(), setup{plain: !rc.nodelay})
		if err != nil {
			return nil, err
		}
		defer w.close()
		if err := (tree{files: 1000, dirs: 10, size: 1000}).make(w.src); err != nil {
			return nil, err
		}
		run, err := rc.start(r, w, rc)
		if err != nil {
			return nil, err
		}
		defer run.stop()
		runs[rc] = run
	}
	time.Sleep(min(idle, 3*time.Second))
	before, out := map[*racer]int64{}, map[*racer]float64{}
	var err error
	for rc, run := range runs {
		if before[rc], err = run.wakeups(); err != nil {
			return nil, err
		}
	}
	time.Sleep(idle)
	for rc, run := range runs {
		now, err := run.wakeups()
		if err != nil {
			return nil, err
		}
		out[rc] = float64(now-before[rc]) / idle.Seconds()
	}
	return out, nil
}
