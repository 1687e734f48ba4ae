package main

import "fmt"

var rewrite = &scenario{name: "rewrite", title: "Every file rewritten in place", run: runRewrite}

// rewriteGoal is the time of it, that of bare rsync being 1.
const rewriteGoal = 1.3

func runRewrite(r *rig) (*section, error) {
	files := r.size(300, 10_000, 100_000)
	t := tree{files: files, dirs: max(files/250, 1), size: 500}
	name := fmt.Sprintf("%d files, %s", files, r.first().name)
	live := []*racer{ours, lsyncd, loop}
	g, err := r.run([]task{{name: name, place: r.first(), racers: append([]*racer{bareND}, live...), rounds: r.rounds(1, 2, 3), peers: 1,
		trial: trial{before: t.make, change: func(src string) (*expectation, error) { return t.write(src, 1) },
			look: countOverflows}}})
	if err != nil {
		return nil, err
	}
	s := &section{}
	s.printf("%d files in %d directories are opened, truncated and written anew by %d writers at once; from the first to a copy that is equal, the writing included. Bare rsync starts when all is written, beside the observer that the others have, too. The kernel's limits are the defaults.\n", files, t.dirs, writers)
	s.table(g.times(append([]*racer{bareND}, live...), []string{name}, bareND))
	s.printf("\n")
	s.table(g.costs(append([]*racer{bareND}, live...), name, bareND))
	s.budget(g, name, ours, rewriteGoal)
	most, lost := 0, 0
	for _, o := range g.of(name, ours) {
		most, lost = max(most, o.overflows), max(lost, o.wrong)
	}
	s.printf("\ngorsyncd: at most %d overflows of the kernel's event queue in a round, %d paths wrong at the end.\n", most, lost)
	s.goal("convergence to bare rsync", "", g.ratio(name, ours, bareND), rewriteGoal)
	return s, nil
}

func countOverflows(run *runner, o *outcome) error {
	if run.g == nil {
		return nil
	}
	st, err := readStatus(run.g)
	if err == nil {
		o.overflows = st.Sources[0].Overflows
	}
	return err
}
