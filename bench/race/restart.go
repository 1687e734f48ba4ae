package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gorsyncd/bench/report"
	"gorsyncd/bench/testbed"
)

var restart = &scenario{name: "restart", title: "Restart", run: runRestart}

// offlineChanges are made while nothing runs.
const offlineChanges = 20

// millionTree has empty files: what counts is how many there are.
func millionTree(files int) tree { return tree{files: files, dirs: max(files/100, 1)} }

func runRestart(r *rig) (*section, error) {
	s := &section{}
	most := r.size(600, 20_000, 1_000_000)
	middle := r.size(300, 10_000, 50_000)
	sizes := []int{middle / 5, middle, 4 * middle, most}
	if r.o.level != whole {
		sizes = []int{middle, most}
	}
	s.printf("The tree and its copy are equal. Ready is the program when it watches and knows of no difference: for gorsyncd from the start until a flush is answered, for lsyncd until its startup rsync is over; bare rsync is one `rsync -a --delete`. Files are empty. Bytes are of both directions.\n")
	chart := report.Chart{Title: "Restart without changes, " + r.first().name, X: "files", Y: "seconds until ready", LogX: true, LogY: true}
	racers := []*racer{ours, lsyncd, bareND}
	lines := map[*racer]*report.Series{}
	for _, rc := range r.present(racers...) {
		lines[rc] = &report.Series{Name: rc.name}
	}
	for _, files := range sizes {
		g, err := r.restartsOf(r.first(), files, files == middle)
		if err != nil {
			return nil, err
		}
		s.restartTable(files, r.first(), g, racers)
		for rc, line := range lines {
			line.X, line.Y = append(line.X, float64(files)), append(line.Y, g.of("unchanged", rc).seconds())
		}
		if files == middle || files == most {
			s.restartGoals(files, g, files == middle)
		}
	}
	for _, p := range r.places[1:] {
		g, err := r.restartsOf(p, middle, true)
		if err != nil {
			return nil, err
		}
		s.restartTable(middle, p, g, racers)
	}
	for _, rc := range racers {
		if lines[rc] != nil {
			chart.Series = append(chart.Series, *lines[rc])
		}
	}
	s.plot("race-restart.svg", "time of a restart over the size of the tree", chart.SVG())
	return s, nil
}

func (s *section) restartTable(files int, p place, g grid, racers []*racer) {
	s.printf("\n%d files, %s:\n", files, p.name)
	var rows [][]string
	for _, rc := range racers {
		same, changed := g.of("unchanged", rc), g.of("changed", rc)
		if len(same) == 0 {
			continue
		}
		row := []string{rc.name, same.String(), mib(median(same.wire())), changed.String(), "–"}
		if len(changed) > 0 {
			row[4] = mib(median(changed.wire()))
		}
		rows = append(rows, row)
	}
	s.table([]string{"", "unchanged: ready, s", "MiB", fmt.Sprintf("%d files changed meanwhile: equal, s", offlineChanges), "MiB"}, rows)
}

func (s *section) restartGoals(files int, g grid, middle bool) {
	same, changed := g.of("unchanged", ours), g.of("changed", ours)
	if !middle {
		s.goal(fmt.Sprintf("%d files, unchanged: ready", files), "s", same.seconds(), 6)
		return
	}
	s.goal(fmt.Sprintf("%d files, unchanged: ready", files), "s", same.seconds(), 0.4)
	s.goal(fmt.Sprintf("%d files, unchanged: wire", files), "MiB", max(float64(median(same.wire()))/(1<<20), 1e-6), 0.01)
	s.goal(fmt.Sprintf("%d files, %d changed: equal", files, offlineChanges), "s", changed.seconds(), 1)
}

// restartsOf restarts every racer over one tree and its copy.
func (r *rig) restartsOf(p place, files int, changes bool) (grid, error) {
	pr, err := r.pair(p, millionTree(files))
	if err != nil {
		return nil, err
	}
	w, err := r.newWorld(p, setup{pair: pr, link: &link{}})
	if err != nil {
		return nil, err
	}
	defer w.close()
	g, err := newGorsyncd(r, w)
	if err != nil {
		return nil, err
	}
	b := &restarts{r: r, w: w, g: g, limit: readyLimit(files)}
	if err := b.catchUp(); err != nil { // the first start indexes the tree and compares it with the copy
		return nil, err
	}
	rounds := r.rounds(1, 2, 3)
	racers := []*racer{ours, lsyncd, bareND}
	if files > 200_000 {
		rounds, racers = min(rounds, 2), []*racer{ours, bareND}
	}
	tasks := []task{{name: "unchanged", racers: racers, rounds: rounds, do: b.unchanged}}
	out, err := r.run(tasks)
	if err != nil {
		return nil, err
	}
	if changes {
		more, err := r.run([]task{{name: "changed", racers: racers, rounds: rounds, do: b.changed}})
		if err != nil {
			return nil, err
		}
		for k, v := range more {
			out[k] = v
		}
	}
	return out, b.judged(out)
}

// restarts are those over one tree.
type restarts struct {
	r       *rig
	w       *world
	g       *testbed.Gorsyncd
	limit   time.Duration
	changes int // rounds that changed something
}

// catchUp lets gorsyncd see what was done without it.
func (b *restarts) catchUp() error {
	if err := b.g.Spawn(); err != nil {
		return err
	}
	defer b.g.Stop()
	return flush(b.g, b.limit)
}

// start runs a racer until it is ready; the caller stops it.
func (b *restarts) start(rc *racer) (stop func(), err error) {
	switch {
	case rc == ours:
		if err := b.g.Spawn(); err != nil {
			return nil, err
		}
		if err := flush(b.g, b.limit); err != nil {
			b.g.Stop()
			return nil, err
		}
		return b.g.Stop, nil
	case rc.start == nil:
		_, err := runBare(b.w, rc)
		return func() {}, err
	}
	run, err := rc.start(b.r, b.w, rc)
	if err != nil {
		return nil, err
	}
	return run.stop, nil
}

func (b *restarts) unchanged(rc *racer) (outcome, error) {
	passed, begin := b.w.passed(), time.Now()
	stop, err := b.start(rc)
	o := outcome{arrival: arrival{took: time.Since(begin), equal: true}}
	if err != nil {
		return o, err
	}
	defer stop()
	b.w.quiet(b.r.o.limit)
	o.wire = b.w.passed() - passed
	return o, nil
}

// changed makes some changes while nothing runs, and starts a racer.
func (b *restarts) changed(rc *racer) (outcome, error) {
	if rc == ours {
		if err := b.catchUp(); err != nil { // with what others have brought over
			return outcome{}, err
		}
	}
	b.changes++
	for i := range offlineChanges {
		name := filepath.Join(b.w.src, tree{dirs: 10}.dir(i%2), fmt.Sprintf("offline%d", i))
		if err := os.WriteFile(name, fmt.Appendf(nil, "%*d", 100+b.changes, i), 0o644); err != nil {
			return outcome{}, err
		}
	}
	e, err := expect(b.w.src)
	if err != nil {
		return outcome{}, err
	}
	arrived := make(chan arrival, 1)
	passed, begin := b.w.passed(), time.Now()
	go func() { arrived <- e.wait(b.w.dsts, begin, b.r.patienceFor(rc)) }()
	stop, err := b.start(rc)
	if err != nil {
		return outcome{}, err
	}
	defer stop()
	o := outcome{arrival: <-arrived}
	b.w.quiet(b.r.o.limit)
	o.wire = b.w.passed() - passed
	return o, b.r.settle(b.w, rc, &o)
}

// judged has the oracle compare once where nothing was changed.
func (b *restarts) judged(g grid) error {
	if len(g.of("changed", ours)) > 0 {
		return nil
	}
	o := g.of("unchanged", ours)[0]
	return b.r.settle(b.w, ours, &o)
}
