// Command soak changes a tree as often as a day of a busy site does, in
// minutes, and shows that what the daemon holds levels off: memory, file
// descriptors, goroutines, threads, child processes, and the size of the
// journal.
//
//	make soak
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gorsyncd/bench/report"
	"gorsyncd/bench/testbed"
)

func main() {
	bin := flag.String("bin", "build/gorsyncd", "the gorsyncd to measure")
	changes := flag.Int("changes", 500_000, "changes to make")
	every := flag.Duration("every", 2*time.Second, "pause between two samples")
	dir := flag.String("out", "bench", "directory of README.md and plots")
	flag.Parse()
	if err := run(*bin, *changes, *every, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(bin string, changes int, every time.Duration, out string) error {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := newSoak(bin, dir)
	if err != nil {
		return err
	}
	defer s.close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.churn.Steps(changes)
	}()
	begin := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-tick.C:
		}
		if err := s.sample(time.Since(begin)); err != nil {
			return err
		}
	}
	took := time.Since(begin)
	if err := s.g.Flush(5 * time.Minute); err != nil {
		return err
	}
	for _, dst := range s.dsts {
		diff, err := testbed.DiffTrees(s.churn.Root, dst, testbed.Options{})
		if err != nil || len(diff) > 0 {
			return fmt.Errorf("%d differences after the last change (%v): %.500q", len(diff), err, diff)
		}
	}
	return s.report(out, changes, took)
}

// soak is a daemon with two remotes and what was seen of it.
type soak struct {
	dir     string
	churn   *testbed.Churn
	dsts    []string
	rsyncd  *testbed.Rsyncd
	g       *testbed.Gorsyncd
	samples []sample
}

func newSoak(bin, dir string) (*soak, error) {
	s := &soak{dir: dir, dsts: []string{filepath.Join(dir, "daemon"), filepath.Join(dir, "local")}}
	src := filepath.Join(dir, "src")
	for _, d := range append([]string{src, filepath.Join(dir, "rsyncd")}, s.dsts...) {
		if err := os.Mkdir(d, 0o755); err != nil {
			return nil, err
		}
	}
	s.churn = testbed.NewChurn(src, uint64(time.Now().UnixNano()))
	s.churn.Most = 3000
	var err error
	if s.rsyncd, err = testbed.NewRsyncd(filepath.Join(dir, "rsyncd"), testbed.Module{Name: "m", Path: s.dsts[0]}); err != nil {
		return nil, err
	}
	yaml := fmt.Sprintf("defaults: {guard: {max_delete: 0}}\njournal: {retain: 1m}\nsources:\n  - path: %s\n    remotes:\n      - {name: daemon, target: %q}\n      - {name: local, target: %s}\n",
		src, s.rsyncd.Target("m"), s.dsts[1])
	if s.g, err = testbed.NewGorsyncd(bin, dir, yaml); err == nil {
		err = s.g.Start()
	}
	if err != nil {
		s.rsyncd.Stop()
		return nil, err
	}
	return s, nil
}

func (s *soak) close() {
	s.g.Stop()
	s.rsyncd.Stop()
}

func (s *soak) report(out string, changes int, took time.Duration) error {
	x := make([]float64, len(s.samples))
	for i, p := range s.samples {
		x[i] = p.at.Minutes()
	}
	line := func(name string, of func(sample) float64) report.Series {
		l := report.Series{Name: name, X: x}
		for _, p := range s.samples {
			l.Y = append(l.Y, of(p))
		}
		return l
	}
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	rss := line("resident", func(p sample) float64 { return mib(p.rss) })
	anon := line("anonymous", func(p sample) float64 { return mib(p.anon) })
	journal := line("journal", func(p sample) float64 { return mib(p.journal) })
	fds := line("descriptors", func(p sample) float64 { return float64(p.fds) })
	goroutines := line("goroutines", func(p sample) float64 { return float64(p.goroutines) })
	children := line("children", func(p sample) float64 { return float64(p.children) })
	threads := line("threads", func(p sample) float64 { return float64(p.threads) })
	for name, svg := range map[string]string{
		"soak-memory.svg": report.Chart{Title: "Memory and journal under constant change", X: "minutes", Y: "MiB", Series: []report.Series{rss, anon, journal}}.SVG(),
		"soak-counts.svg": report.Chart{Title: "What the daemon holds under constant change", X: "minutes", Y: "number", Series: []report.Series{fds, goroutines, threads, children}}.SVG(),
	} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("## A day of changes in minutes\n\n`make soak`, %s, %s.\n\n%d changes of every kind in %.0f minutes (%.0f a second) to a tree of up to 3,000 paths, two remotes, `journal.retain: 1m`; afterwards both remotes equal.\n\n",
		time.Now().UTC().Format("2006-01-02"), report.Machine(s.dir), changes, took.Minutes(), float64(changes)/took.Seconds())
	text += "| | highest in the first third | in the second | in the last |\n|---|---|---|---|\n"
	for _, l := range []report.Series{rss, anon, journal, fds, goroutines, threads, children} {
		a, b, c := thirds(l.Y)
		unit := ""
		if l.Name == "resident" || l.Name == "anonymous" || l.Name == "journal" {
			unit = " MiB"
		}
		text += fmt.Sprintf("| %s | %.0f%s | %.0f%s | %.0f%s |\n", l.Name, a, unit, b, unit, c, unit)
	}
	text += "\nAnonymous memory is what the daemon itself holds; resident memory is that and the pages of the journal's files that are mapped, which the kernel takes back when it needs them.\n"
	text += "\n![memory and journal](soak-memory.svg)\n![descriptors, goroutines, threads, children](soak-counts.svg)\n"
	fmt.Print(text)
	return report.Replace(filepath.Join(out, "README.md"), "soak", text)
}

// thirds are the maxima of the first, second and last third.
func thirds(y []float64) (a, b, c float64) {
	for i, v := range y {
		switch {
		case i < len(y)/3:
			a = max(a, v)
		case i < 2*len(y)/3:
			b = max(b, v)
		default:
			c = max(c, v)
		}
	}
	return a, b, c
}
