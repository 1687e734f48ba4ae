package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"gorsyncd/bench/report"
)

var full = &scenario{name: "full", title: "First full sync", run: runFull}

// The racers that know the source already, with the usual four workers and others.
var (
	indexed    = known("gorsyncd, source indexed before", "")
	compressed = known("the same, rsync.compress", "rsync: {compress: true}")
	one        = known("the same, 1 worker", "workers: 1")
	two        = known("the same, 2 workers", "workers: 2")
	eight      = known("the same, 8 workers", "workers: 8")
)

func known(name, config string) *racer {
	return &racer{name: name, nodelay: true, indexed: true, variant: config != "", config: config}
}

// delays are those of a country and of an ocean, each way.
func (r *rig) delays() []time.Duration {
	if r.o.level == mini {
		return []time.Duration{2 * time.Millisecond}
	}
	return []time.Duration{25 * time.Millisecond, 100 * time.Millisecond}
}

func runFull(r *rig) (*section, error) {
	files := r.size(300, 10_000, 50_000)
	t := tree{files: files, dirs: max(files/100, 1), size: 1000}
	srcs := map[string]string{} // by place; nothing changes them
	for _, p := range r.places {
		srcs[p.name] = filepath.Join(p.dir, "full")
		if err := t.make(srcs[p.name]); err != nil {
			return nil, err
		}
	}
	// A fifth of the tree is enough where each byte takes its time.
	fewer := tree{files: files / 5, dirs: t.dirs / 5, size: t.size}
	if fewer.dirs == 0 {
		fewer.dirs = 1
	}
	slow := filepath.Join(r.first().dir, "fewer")
	if err := fewer.make(slow); err != nil {
		return nil, err
	}
	texts := filepath.Join(r.first().dir, "texts")
	if err := (tree{fewer.files, fewer.dirs, fewer.size, true}).make(texts); err != nil {
		return nil, err
	}
	rounds := r.rounds(1, 2, 3)
	filling := func(name string, p place, src string, l *link, n int, racers ...*racer) task {
		return task{name: name, place: p, rounds: n, peers: 1, racers: racers,
			do: func(rc *racer) (outcome, error) { return r.fullRound(p, src, l, rc) }}
	}
	both := []*racer{bareND, ours, indexed}
	tasks := []task{}
	for i, p := range r.places {
		racers := both
		if i == 0 {
			racers = append(racers, lsyncd)
		}
		tasks = append(tasks, filling("loopback, "+p.name, p, srcs[p.name], nil, rounds, racers...))
	}
	for _, delay := range r.delays() {
		tasks = append(tasks, filling(rtt(delay), r.first(), srcs[r.first().name], &link{delay: delay}, min(rounds, 2), both...))
	}
	for _, delay := range append([]time.Duration{0}, r.delays()...) {
		tasks = append(tasks, filling(fmt.Sprintf("%d files, a round trip of %v", fewer.files, 2*delay), r.first(), slow,
			&link{delay: delay}, 1, bareND, one, two, indexed, eight))
	}
	thin := &link{delay: 10 * time.Millisecond, rate: 1_250_000}
	name := fmt.Sprintf("10 mbit/s, 20 ms round trip, %d files", fewer.files)
	tasks = append(tasks, filling(name, r.first(), slow, thin, min(rounds, 2), append(slices.Clone(both), compressed)...),
		filling(name+" of text", r.first(), texts, thin, 1, bareND, indexed, compressed))
	g, err := r.run(tasks)
	if err != nil {
		return nil, err
	}
	return fullSection(r, t, g, tasks), nil
}

// fullGoal is the time of a full sync, that of bare rsync being 1.
const fullGoal = 0.85

func fullSection(r *rig, t tree, g grid, tasks []task) *section {
	s := &section{}
	s.printf("%d files of %d bytes on average in %d directories, an empty remote; from the start of the program, or from the command `gorsyncd sync` of a daemon that has read the source before, until the copy is equal; 4 workers, where nothing else is said. Beside bare rsync there is the same observer. Round trips and rates are made by a proxy that has at most about 1 MiB of a connection and direction under way, like a TCP window of that size.\n", t.files, t.size, t.dirs)
	racers := []*racer{bareND, ours, indexed, compressed, one, two, eight, lsyncd}
	chart := report.Chart{Title: "First full sync over the round trip, " + r.first().name, X: "ms round trip", Y: "seconds"}
	for _, rc := range racers[:3] {
		line := report.Series{Name: rc.name}
		names := map[float64]string{0: "loopback, " + r.first().name}
		for _, d := range r.delays() {
			names[2*d.Seconds()*1000] = rtt(d)
		}
		for _, x := range slices.Sorted(maps.Keys(names)) {
			if sec := g.of(names[x], rc).seconds(); sec > 0 {
				line.X, line.Y = append(line.X, x), append(line.Y, sec)
			}
		}
		chart.Series = append(chart.Series, line)
	}
	for _, t := range tasks {
		s.printf("\n%s:\n", t.name)
		s.table(g.times(racers, []string{t.name}, bareND))
	}
	s.plot("race-full.svg", "time of a full sync over the round trip", chart.SVG())
	loopback := "loopback, " + r.first().name
	s.budget(g, loopback, ours, fullGoal)
	s.goal("from the start of the daemon, to bare rsync", "", g.ratio(loopback, ours, bareND), fullGoal)
	s.goal("source indexed before, to bare rsync", "", g.ratio(loopback, indexed, bareND), fullGoal)
	s.goal("the same at "+rtt(r.delays()[0]), "", g.ratio(rtt(r.delays()[0]), indexed, bareND), 0.5)
	return s
}

// fullRound fills an empty copy.
func (r *rig) fullRound(p place, src string, l *link, rc *racer) (outcome, error) {
	w, err := r.newWorld(p, setup{src: src, link: l, never: rc.indexed, config: rc.config})
	if err != nil {
		return outcome{}, err
	}
	defer w.close()
	e, err := expect(src)
	if err != nil {
		return outcome{}, err
	}
	if rc.start == nil && !rc.indexed {
		o, err := r.observeBare(w, rc, e)
		if err == nil {
			err = r.settle(w, rc, &o)
		}
		return o, err
	}
	o, run, err := r.fullBy(w, rc, e)
	if run != nil {
		defer run.stop()
	}
	if err != nil {
		return o, err
	}
	return o, r.settle(w, rc, &o)
}

// fullBy has a racer fill the copy, and waits until it is and the racer ready.
func (r *rig) fullBy(w *world, rc *racer, e *expectation) (outcome, *runner, error) {
	if rc.indexed {
		run, err := startGorsyncd(r, w, rc)
		if err != nil {
			return outcome{}, nil, err
		}
		begin, before := time.Now(), computed()
		if out, code, err := run.g.Run("sync", "s/r0"); err != nil || code != 0 {
			return outcome{}, run, fmt.Errorf("gorsyncd sync: exit status %d, %w: %s", code, err, out)
		}
		o := outcome{arrival: e.wait(w.dsts, begin, r.patienceFor(ours))}
		o.all = computed() - before
		return o, run, flush(run.g, r.patienceFor(rc).all)
	}
	arrived := make(chan arrival, 1)
	begin, before := time.Now(), computed()
	go func() { arrived <- e.wait(w.dsts, begin, r.patienceFor(rc)) }()
	run, err := rc.start(r, w, rc)
	if err != nil {
		return outcome{}, nil, err // the observer ends at its limit, by itself
	}
	o := outcome{arrival: <-arrived}
	o.all = computed() - before
	return o, run, nil
}
