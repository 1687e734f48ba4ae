package main

import (
	"fmt"
	"os"
	"path/filepath"

	"gorsyncd/bench/report"
)

var move = &scenario{name: "move", title: "A directory is renamed", run: runMove}

// moved is what gets another name: many small files and a few big ones, below
// one directory, 420 MB as a whole.
type moved struct {
	small, big tree
}

func (r *rig) moved() moved {
	return moved{
		small: tree{files: r.size(40, 400, 2000), dirs: r.size(2, 10, 20), size: 10_000},
		big:   tree{files: r.size(2, 4, 20), dirs: 1, size: r.size(100_000, 5_000_000, 20_000_000)},
	}
}

func (m moved) make(src string) error {
	if err := m.small.make(filepath.Join(src, "site", "release-1")); err != nil {
		return err
	}
	return m.big.make(filepath.Join(src, "site", "release-1", "media"))
}

func runMove(r *rig) (*section, error) {
	m := r.moved()
	rename := func(src string) error {
		return os.Rename(filepath.Join(src, "site", "release-1"), filepath.Join(src, "site", "release-2"))
	}
	t := trial{setup: setup{link: &link{}}, rest: true, before: m.make, change: thenRead(rename, "site/release-1")}
	down := t
	down.down = true
	release := t
	release.before = func(src string) error {
		if err := m.make(src); err != nil {
			return err
		}
		return m.small.make(filepath.Join(src, "site", "next", "sub"))
	}
	release.change = thenRead(func(src string) error {
		at := func(name string) string { return filepath.Join(src, "site", name) }
		if err := os.Rename(at("release-1"), at("release-0")); err != nil {
			return err
		}
		return os.Rename(at("next"), at("release-1"))
	}, "site/next")
	rounds := r.rounds(1, 2, 3)
	var tasks []task
	for _, p := range r.places {
		racers := []*racer{bareND, ours}
		if len(tasks) == 0 {
			racers = append(racers, lsyncd, loop)
		}
		tasks = append(tasks, task{name: "renamed while it runs, " + p.name, place: p, racers: racers, rounds: rounds, peers: 2, trial: t})
	}
	tasks = append(tasks, task{name: "renamed while it is down, " + r.first().name, place: r.first(), racers: []*racer{ours, lsyncd}, rounds: rounds, peers: 2, trial: down})
	tasks = append(tasks, task{name: "renamed, and another one gets its name, " + r.first().name, place: r.first(), racers: []*racer{bareND, ours, lsyncd, loop}, rounds: rounds, peers: 1, trial: release})
	g, err := r.run(tasks)
	if err != nil {
		return nil, err
	}
	s := &section{}
	bytes := int64(m.small.files*m.small.size + m.big.files*m.big.size)
	s.printf("A directory of %d MB in %d files gets another name, one remote on loopback behind a proxy that counts bytes of both directions. Bare rsync is `rsync -a --delete` after the rename; while it is down: from the start of the program. Where another directory gets the name, that one has %d files of its own and was known as well.\n", bytes/1_000_000, m.small.files+m.big.files, m.small.files)
	var bars []report.Bar
	for _, t := range tasks {
		var rows [][]string
		for _, rc := range append([]*racer{bareND, bare}, ours, lsyncd, loop) {
			if os := g.of(t.name, rc); len(os) > 0 {
				rows = append(rows, []string{rc.name, os.String(), mib(median(os.wire()))})
				bars = append(bars, report.Bar{Name: fmt.Sprintf("%s, %s", rc.name, map[bool]string{true: "down", false: t.place.name}[t.trial.down]), Value: float64(median(os.wire())) / (1 << 20)})
			}
		}
		s.printf("\nThe directory is %s:\n", t.name)
		s.table([]string{"", "seconds until equal", "MiB on the wire"}, rows)
	}
	s.plot("race-move.svg", "bytes on the wire", report.Bars(fmt.Sprintf("A directory of %d MB is renamed: bytes on the wire", bytes/1_000_000), "MiB, both directions", bars))
	for _, t := range tasks[:len(tasks)-1] { // the last are two moves
		os := g.of(t.name, ours)
		s.goal("wire, "+t.name, "MiB", float64(median(os.wire()))/(1<<20), 0.3)
		s.goal("time, "+t.name, "s", os.seconds(), 0.5)
	}
	return s, nil
}
