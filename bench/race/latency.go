package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gorsyncd/bench/report"
)

var latency = &scenario{name: "latency", title: "One small file, close → visible on the remote", run: runLatency}

// slowSamples is the part of the samples that a racer gets which takes a second
// for each.
const slowSamples = 4

// lane is a racer with a world of its own, live as long as the scenario lasts.
type lane struct {
	name    string
	rc      *racer
	w       *world
	run     *runner // nil: bare
	bare    *lane   // what it is compared with
	samples []time.Duration
}

func runLatency(r *rig) (*section, error) {
	s := &section{}
	s.printf("Idle sources of their own with 100 files, loopback; time from close(2) at the source until the copy has the file. Bare rsync is told the one file; it starts cold at the close. sersync, which is no package of Debian, is in none of the races.\n")
	for i, p := range r.places {
		lanes, err := r.latencyAt(p, i == 0)
		if err != nil {
			return nil, err
		}
		s.latencyTable(p, lanes, i == 0)
	}
	parts, err := r.latencyParts()
	if err != nil {
		return nil, err
	}
	s.printf("\n%s", parts)
	return s, nil
}

// latencyAt takes the samples of one place, with peers in the first one.
func (r *rig) latencyAt(p place, all bool) (lanes []*lane, err error) {
	defer func() {
		for _, l := range lanes {
			l.close()
		}
	}()
	racers := []*racer{bareND, ours, oursPlain}
	if all {
		racers = append(racers, bare, loop, loopND, lsyncd0, lsyncdND, lsyncd)
	}
	overSSH := []*racer{bareND, ours}
	for i, rc := range slices.Concat(r.present(racers...), overSSH) {
		l, err := r.newLane(p, rc, i >= len(r.present(racers...)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", rc.name, err)
		}
		lanes = append(lanes, l)
	}
	n := r.rounds(3, 30, 100)
	var jobs []job
	for _, l := range lanes {
		l.bare = lanes[slices.IndexFunc(lanes, func(b *lane) bool { return b.rc == bareND && b.w.ssh == l.w.ssh })]
		count := n
		if l.rc == lsyncd {
			count = max(n/slowSamples, 1)
		}
		for i := range count {
			jobs = append(jobs, job{l.name, func() error { return l.sample(i, r.patienceFor(l.rc).all) }})
		}
	}
	r.rand.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	for _, j := range jobs {
		if err := j.do(); err != nil {
			return nil, fmt.Errorf("%s: %w", j.what, err)
		}
	}
	for _, l := range lanes {
		o := outcome{arrival: arrival{equal: true}}
		if l.run != nil {
			if _, err := r.calm(l.run); err != nil {
				return nil, err
			}
		}
		if err := r.settle(l.w, l.rc, &o); err != nil {
			return nil, err
		}
		if o.wrong > 0 {
			l.name += fmt.Sprintf(" (%d paths wrong at the end)", o.wrong)
		}
	}
	return lanes, nil
}

func (r *rig) newLane(p place, rc *racer, ssh bool) (*lane, error) {
	w, err := r.newWorld(p, setup{ssh: ssh, plain: !rc.nodelay})
	if err != nil {
		return nil, err
	}
	l := &lane{name: rc.name, rc: rc, w: w}
	if ssh {
		l.name += ", over ssh"
		if rc == bareND {
			l.name = "bare rsync, over ssh"
		}
	}
	if err = (tree{files: 100, dirs: 10, size: 1000}).make(w.src); err == nil {
		err = copyTree(w.src, w.dsts[0])
	}
	if err == nil && rc.start != nil {
		l.run, err = rc.start(r, w, rc)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lane) close() {
	if l.run != nil {
		l.run.stop()
	}
	l.w.close()
}

// sample writes a file and waits for it.
func (l *lane) sample(i int, limit time.Duration) error {
	l.idle()
	name := fmt.Sprintf("change-%d", i)
	if err := os.WriteFile(filepath.Join(l.w.src, name), []byte("a small change\n"), 0o644); err != nil {
		return err
	}
	begin := time.Now()
	failed := make(chan error, 1)
	if l.run == nil {
		go func() { _, err := runBare(l.w, l.rc, name); failed <- err }()
	}
	seen, err := visible(filepath.Join(l.w.dsts[0], name), begin.Add(limit))
	if err != nil {
		return err
	}
	l.samples = append(l.samples, seen.Sub(begin))
	if l.run == nil {
		return <-failed
	}
	return nil
}

// visible waits until a path is there and returns when it was.
func visible(path string, deadline time.Time) (time.Time, error) {
	for {
		_, err := os.Lstat(path)
		now := time.Now()
		switch {
		case err == nil:
			return now, nil
		case !errors.Is(err, fs.ErrNotExist):
			return now, err
		case now.After(deadline):
			return now, fmt.Errorf("%s does not arrive", path)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// idle waits until what the sample before has caused is over: a peer runs more
// than one rsync for a file, and ours keeps one ready.
func (l *lane) idle() {
	time.Sleep(100 * time.Millisecond)
	for l.run != nil && l.run.g == nil && l.run.rsyncs() {
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *section) latencyTable(p place, lanes []*lane, first bool) {
	var rows [][]string
	chart := report.Chart{Title: "One small file, close → visible, " + p.name, X: "ms", Y: "% of samples", LogX: true}
	for _, l := range lanes {
		p50, worst := median(l.samples), slices.Max(l.samples)
		part := ratio(float64(p50), float64(median(l.bare.samples)))
		rows = append(rows, []string{l.name, fmt.Sprint(len(l.samples)), ms(p50), ms(quantile(l.samples, 0.9)), ms(worst), part})
		chart.Series = append(chart.Series, distribution(l))
		if l.rc != ours {
			continue
		}
		what := ", " + p.name
		if l.w.ssh {
			s.goal("p50 over ssh"+what, "ms", p50.Seconds()*1000, 12)
			continue
		}
		s.goal("p50"+what, "ms", p50.Seconds()*1000, 6)
		s.goal("worst"+what, "ms", worst.Seconds()*1000, 25)
		s.goal("p50 to that of bare rsync with TCP_NODELAY"+what, "", float64(p50)/float64(median(l.bare.samples)), 0.55)
	}
	s.printf("\nOn %s:\n", p.name)
	s.table([]string{"", "samples", "p50 ms", "p90 ms", "worst ms", "p50, bare rsync (TCP_NODELAY, or over ssh) = 1"}, rows)
	if first {
		s.plot("race-latency.svg", "distribution of the latency", chart.SVG())
	}
}

// distribution is the share of samples that were at most as late.
func distribution(l *lane) report.Series {
	sorted := slices.Clone(l.samples)
	slices.Sort(sorted)
	out := report.Series{Name: l.name}
	for i, d := range sorted {
		out.X = append(out.X, d.Seconds()*1000)
		out.Y = append(out.Y, 100*float64(i+1)/float64(len(sorted)))
	}
	return out
}
