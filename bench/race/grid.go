package main

import (
	"fmt"
	"time"
)

// task is one column of a comparison.
type task struct {
	name   string
	place  place
	racers []*racer
	rounds int
	peers  int // rounds of peers; 0: as many
	trial  trial
	do     func(rc *racer) (outcome, error) // instead of a trial
}

// grid holds the outcomes of a comparison.
type grid map[gridKey]outcomes

type gridKey struct {
	task string
	rc   *racer
}

func (g grid) of(task string, rc *racer) outcomes { return g[gridKey{task, rc}] }

// run performs all rounds of all racers at all tasks in one random order.
func (r *rig) run(tasks []task) (grid, error) {
	g := grid{}
	var jobs []job
	shown := r.shown
	for i, t := range tasks {
		if r.o.task != nil && !r.o.task.MatchString(t.name) {
			continue
		}
		if t.do == nil {
			t.do = func(rc *racer) (outcome, error) { return r.try(t.place, rc, t.trial) }
		}
		for _, rc := range r.present(t.racers...) {
			if rc.program != "" && r.o.level == mini {
				if shown || i > 0 {
					continue
				}
				r.shown = true
			}
			n := t.rounds
			if rc.program != "" && t.peers > 0 {
				n = min(n, t.peers)
			}
			for range n {
				jobs = append(jobs, job{t.name + ": " + rc.name, func() error {
					o, err := t.do(rc)
					if err != nil && rc.program != "" {
						o, err = outcome{died: err}, nil // that is a result
					}
					r.logf("  %s", outcomes{o})
					g[gridKey{t.name, rc}] = append(g.of(t.name, rc), o)
					return err
				}})
			}
		}
	}
	return g, r.shuffled(jobs)
}

// times are rows of racers and columns of tasks, with the ratio to bare rsync at
// the same task, if it took part.
func (g grid) times(racers []*racer, tasks []string, base *racer) (header []string, rows [][]string) {
	header = append(header, "seconds until equal")
	for _, t := range tasks {
		header = append(header, t, "bare = 1")
	}
	for _, rc := range racers {
		row := []string{rc.name}
		any := false
		for _, t := range tasks {
			os := g.of(t, rc)
			any = any || len(os) > 0
			row = append(row, os.String(), ratio(os.seconds(), g.of(t, base).seconds()))
		}
		if any {
			rows = append(rows, row)
		}
	}
	return header, rows
}

// costs are rows of racers at one task: the time that is left when the change is
// complete, what the sending side computes until all is done, and what the whole
// machine does until copies are equal: with bare rsync after the change.
func (g grid) costs(racers []*racer, task string, base *racer) (header []string, rows [][]string) {
	bare := g.of(task, base).seconds()
	for _, rc := range racers {
		os := g.of(task, rc)
		if !os.equal() {
			continue
		}
		var after, cpu, all []time.Duration
		for _, o := range os {
			after, cpu, all = append(after, o.took-o.made), append(cpu, o.cpu), append(all, o.all)
		}
		rows = append(rows, []string{rc.name, secs(median(after)), ratio(median(after).Seconds(), bare), secs(median(cpu)), secs(median(all))})
	}
	return []string{task, "seconds from the last change until equal", "bare = 1", "CPU seconds of the sending side", "CPU seconds of everything"}, rows
}

// ratio of the medians of gorsyncd and another at a task.
func (g grid) ratio(task string, rc, base *racer) float64 {
	a, b := g.of(task, rc).seconds(), g.of(task, base).seconds()
	if b == 0 {
		return 0
	}
	return a / b
}

// rtt is a round trip as a name.
func rtt(d time.Duration) string { return fmt.Sprintf("%d ms round trip", (2 * d).Milliseconds()) }
