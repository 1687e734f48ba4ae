package main

import (
	"runtime"
	"time"

	"gorsyncd/bench/lab"
)

// computed is what all processors have done so far; run has made sure that the
// kernel tells.
func computed() time.Duration {
	d, _ := lab.Computed()
	return d
}

// budget says what a goal leaves to compute, and what of that bare rsync takes by
// itself: below that no way of calling it gets, however little the rest costs.
func (s *section) budget(g grid, task string, rc *racer, most float64) {
	bare, own := g.of(task, bareND), g.of(task, rc)
	if !bare.equal() || !own.equal() {
		return
	}
	of := func(os outcomes, get func(outcome) time.Duration) float64 {
		var all []time.Duration
		for _, o := range os {
			all = append(all, get(o))
		}
		return median(all).Seconds()
	}
	sum := func(o outcome) time.Duration { return o.all }
	making := of(bare, func(o outcome) time.Duration { return o.making })
	s.printf("\nThe goal, %.2f of bare rsync, leaves %.2f processor seconds with %d processors. ", most, most*bare.seconds()*float64(runtime.NumCPU()), runtime.NumCPU())
	if making > 0 {
		s.printf("Making the files took %.2f. ", making)
	}
	s.printf("Bare rsync with its daemon and the observer %.2f; with %s all that was computed is %.2f.\n", of(bare, sum), rc.name, of(own, sum))
}
