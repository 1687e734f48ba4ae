package main

import (
	"fmt"
	"slices"
	"time"

	"gorsyncd/bench/report"
)

var remotes = &scenario{name: "remotes", title: "Many remotes", run: runRemotes}

func runRemotes(r *rig) (*section, error) {
	counts := []int{1, 5, 10, 20, 50}
	if r.o.level == mini {
		counts = []int{1, 3}
	}
	files := r.size(50, 500, 1000)
	live := []*racer{ours, lsyncd, loop}
	t := tree{files: files, dirs: max(files/100, 1), size: 1000}
	var tasks []task
	for _, n := range counts {
		racers := live
		if n <= 20 {
			racers = append(slices.Clone(live), bareND)
		}
		tasks = append(tasks, task{name: remotesName(n), place: r.first(), racers: racers, rounds: r.rounds(1, 1, 2), peers: 1,
			trial: trial{setup: setup{copies: n}, change: t.makeSeen, look: weigh}})
	}
	g, err := r.run(tasks)
	if err != nil {
		return nil, err
	}
	s := &section{}
	s.printf("%d new files in %d directories, one source, modules of one rsync daemon on loopback; until every copy is equal. Memory is that of the daemon alone, after the burst. A line of the plot ends where copies did not get equal in time.\n", files, t.dirs)
	s.remotesTable(r, g, counts, append([]*racer{bareND}, live...))
	if err := r.idleRemotes(s, r.size(5, 100, 500)); err != nil {
		return nil, err
	}
	return s, nil
}

func remotesName(n int) string {
	if n == 1 {
		return "1 remote"
	}
	return fmt.Sprintf("%d remotes", n)
}

// weigh notes what the racer holds.
func weigh(run *runner, o *outcome) (err error) {
	o.memory, err = run.memory()
	return err
}

func (s *section) remotesTable(r *rig, g grid, counts []int, racers []*racer) {
	chart := report.Chart{Title: "A burst of new files to many remotes, " + r.first().name, X: "remotes", Y: "seconds until all are equal"}
	header := []string{"seconds until equal"}
	for _, n := range counts {
		header = append(header, remotesName(n))
	}
	var rows [][]string
	for _, rc := range r.present(racers...) {
		row := []string{rc.name}
		line := report.Series{Name: rc.name}
		for _, n := range counts {
			os := g.of(remotesName(n), rc)
			row = append(row, os.String())
			if sec := os.seconds(); sec > 0 {
				line.X, line.Y = append(line.X, float64(n)), append(line.Y, sec)
			}
		}
		rows = append(rows, row)
		chart.Series = append(chart.Series, line)
	}
	row := []string{"gorsyncd: resident (anonymous) MiB"}
	for _, n := range counts {
		var rss, anon []int64
		for _, o := range g.of(remotesName(n), ours) {
			rss, anon = append(rss, o.memory.RSS), append(anon, o.memory.Anon)
		}
		row = append(row, fmt.Sprintf("%s (%s)", mib(median(rss)), mib(median(anon))))
	}
	s.table(header, append(rows, row))
	s.plot("race-remotes.svg", "time over the number of remotes", chart.SVG())
	first, last := counts[0], counts[len(counts)-1]
	a, b := g.of(remotesName(first), ours).seconds(), g.of(remotesName(last), ours).seconds()
	if a > 0 && b > 0 {
		s.printf("\nEach further remote costs gorsyncd %.0f ms of such a burst; bare rsync to one remote takes %.0f ms.\n",
			1000*(b-a)/float64(last-first), 1000*g.of(remotesName(first), bareND).seconds())
	}
}

// idleRemotes starts a daemon with many remotes that have nothing to do.
func (r *rig) idleRemotes(s *section, n int) error {
	idle := time.Duration(r.size(200, 5_000, 30_000)) * time.Millisecond
	var rows [][]string
	var one, many holding
	for _, copies := range []int{1, n} {
		w, err := r.newWorld(r.first(), setup{copies: copies})
		if err != nil {
			return err
		}
		err = (tree{files: 100, dirs: 10, size: 1000}).make(w.src)
		var h holding
		if err == nil {
			h, err = r.hold(w, ours, idle, nil)
		}
		w.close()
		if err != nil {
			return fmt.Errorf("%d idle remotes: %w", copies, err)
		}
		rows = append(rows, []string{fmt.Sprint(copies), secs(h.ready), mib(h.RSS), mib(h.Anon), fmt.Sprintf("%.2f", h.cpu.Seconds()), fmt.Sprint(h.children)})
		one, many = many, h
	}
	s.printf("\ngorsyncd with remotes that are idle for %.0f s; the start includes the full sync of 100 files to each:\n", idle.Seconds())
	s.table([]string{"remotes", "start, s", "resident MiB", "anonymous MiB", "CPU seconds while idle", "children"}, rows)
	s.printf("\nEach further idle remote holds %.0f KiB of anonymous memory.\n", float64(many.Anon-one.Anon)/1024/float64(max(n-1, 1)))
	return nil
}
