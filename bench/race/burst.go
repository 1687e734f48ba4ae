package main

import (
	"fmt"
	"time"

	"gorsyncd/bench/report"
)

var burst = &scenario{name: "burst", title: "A burst of new files", run: runBurst}

// burstGoal is the time of a burst, that of bare rsync being 1.
const burstGoal = 1.5

// burstSize is the burst that the goals are about.
func (r *rig) burstSize() int { return r.size(200, 3000, 10_000) }

func burstTree(files int) tree { return tree{files: files, dirs: max(files/100, 1), size: 1000} }

func runBurst(r *rig) (*section, error) {
	s := &section{}
	most := r.burstSize()
	sizes := []int{most / 10, most}
	if r.o.level != mini {
		sizes = []int{most / 100, most / 10, most}
	}
	if r.o.level == whole {
		sizes = append(sizes, 3*most)
	}
	live := []*racer{ours, lsyncd, lsyncd0, loop, loopND}
	tasks := r.burstTasks(sizes, live)
	g, err := r.run(tasks)
	if err != nil {
		return nil, err
	}
	s.printf("New directories with 100 files each of 1,000 bytes on average are made by %d writers at once below an empty source, one rsync daemon on loopback; from the first file to a copy that is equal, making the files included. Bare rsync starts when the tree is complete, and copies it to each remote in turn, beside the observer that all the others have. Medians (least–most) of %d rounds, for peers up to %d. A line of the plot ends where copies did not get equal in time.\n", writers, r.rounds(1, 2, 3), r.rounds(1, 1, 2))
	racers := append([]*racer{bareND, bare}, live...)
	var names []string
	for _, t := range tasks {
		names = append(names, t.name)
	}
	for ; len(names) > 0; names = names[min(3, len(names)):] {
		s.table(g.times(racers, names[:min(3, len(names))], bareND))
	}
	chart := report.Chart{Title: "Burst of new files → copy equal, " + r.first().name, X: "files", Y: "seconds", LogX: true, LogY: true}
	for _, rc := range racers {
		line := report.Series{Name: rc.name}
		for _, n := range sizes {
			if sec := g.of(burstName(r.first(), n, 1), rc).seconds(); sec > 0 {
				line.X, line.Y = append(line.X, float64(n)), append(line.Y, sec)
			}
		}
		if len(line.X) > 0 {
			chart.Series = append(chart.Series, line)
		}
	}
	s.plot("race-burst.svg", "time until equal over the size of the burst", chart.SVG())
	s.printf("\n")
	for _, p := range r.places {
		s.table(g.costs(racers, burstName(p, most, 1), bareND))
	}
	s.budget(g, burstName(r.first(), most, 1), ours, burstGoal)
	var made []time.Duration
	for _, o := range g.of(burstName(r.first(), most, 1), ours) {
		made = append(made, o.made)
	}
	s.printf("\nMaking %d files took %s s.\n", most, spread(made))
	one := g.of(burstName(r.first(), most, 1), bareND).seconds()
	s.goal(fmt.Sprintf("%d files, one remote, to bare rsync", most), "", g.ratio(burstName(r.first(), most, 1), ours, bareND), burstGoal)
	if one > 0 {
		s.goal(fmt.Sprintf("%d files, three remotes, to bare rsync to one", most), "", g.of(burstName(r.first(), most, 3), ours).seconds()/one, 2.5)
	}
	return s, nil
}

func burstName(p place, files, copies int) string {
	if copies == 1 {
		return fmt.Sprintf("%d files, %s", files, p.name)
	}
	return fmt.Sprintf("%d files to %d remotes, %s", files, copies, p.name)
}

func (r *rig) burstTasks(sizes []int, live []*racer) []task {
	rounds, peers := r.rounds(1, 2, 3), r.rounds(1, 1, 2)
	one := func(p place, files, copies int, racers ...*racer) task {
		return task{name: burstName(p, files, copies), place: p, racers: racers, rounds: rounds, peers: peers,
			trial: trial{setup: setup{copies: copies}, change: burstTree(files).makeSeen}}
	}
	most := r.burstSize()
	var tasks []task
	for _, n := range sizes {
		racers := append([]*racer{bareND, ours}, live[1:]...)
		if n == most {
			racers = append(racers, bare)
		}
		t := one(r.first(), n, 1, racers...)
		if n > most {
			t.peers, t.rounds = 1, min(rounds, 3)
		}
		tasks = append(tasks, t)
	}
	tasks = append(tasks, one(r.first(), most, 3, bareND, ours, lsyncd, loop))
	for _, p := range r.places[1:] {
		tasks = append(tasks, one(p, most, 1, bareND, ours, lsyncd, loop))
	}
	return tasks
}
