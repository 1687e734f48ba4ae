// The latency program measures how long one small change takes from close to
// visible on an idle loopback rsync daemon, beside a cold bare rsync of the
// same file, in one run, and writes the report.
//
//	make bench
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gorsyncd/bench/report"
	"gorsyncd/bench/testbed"
)

func main() {
	binary := flag.String("bin", "build/gorsyncd", "the gorsyncd to measure")
	out := flag.String("out", "", "write the report to this file as well")
	n := flag.Int("n", 100, "samples of each")
	flag.Parse()
	text, err := run(*binary, *n)
	if err == nil {
		fmt.Print(text)
		if *out != "" {
			err = report.Replace(*out, "latency", text)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
}

// bench holds the trees and servers of one run.
type bench struct {
	dir, src, dst string
	target        string
	g             *testbed.Gorsyncd
}

// racer is one way to bring a change over; change i is written by the caller.
type racer struct {
	name string
	send func(b *bench, name string) error // nil: gorsyncd sees it by itself
}

var racers = []racer{
	{"gorsyncd (event → journal → rsync)", nil},
	{"bare rsync of the one file, TCP_NODELAY", func(b *bench, name string) error { return b.rsync(name, "--sockopts=TCP_NODELAY") }},
	{"bare rsync of the one file, as tutorials run it", func(b *bench, name string) error { return b.rsync(name) }},
}

func run(binary string, n int) (string, error) {
	b, stop, err := start(binary)
	if err != nil {
		return "", err
	}
	defer stop()
	samples := make([][]time.Duration, len(racers))
	var order []int
	for i := range racers {
		for range n {
			order = append(order, i)
		}
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for i, which := range order {
		d, err := b.one(racers[which], i)
		if err != nil {
			return "", fmt.Errorf("%s: %w", racers[which].name, err)
		}
		samples[which] = append(samples[which], d)
	}
	return b.report(samples), nil
}

func start(binary string) (*bench, func(), error) {
	dir, err := os.MkdirTemp("", "gorsyncd-bench-")
	if err != nil {
		return nil, nil, err
	}
	b := &bench{dir: dir, src: filepath.Join(dir, "src"), dst: filepath.Join(dir, "dst")}
	clean := func() { os.RemoveAll(dir) }
	for _, d := range []string{b.src, b.dst, filepath.Join(dir, "bare"), filepath.Join(dir, "rsyncd")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			clean()
			return nil, nil, err
		}
	}
	d, err := testbed.NewRsyncd(filepath.Join(dir, "rsyncd"),
		testbed.Module{Name: "g", Path: b.dst}, testbed.Module{Name: "bare", Path: b.dst})
	if err != nil {
		clean()
		return nil, nil, err
	}
	b.target = d.Target("bare")
	yaml := fmt.Sprintf("sources:\n  - path: %s\n    exclude: [\"bare-*\"]\n    remotes:\n      - {name: g, target: %q}\n", b.src, d.Target("g"))
	if b.g, err = testbed.NewGorsyncd(binary, dir, yaml); err == nil {
		err = b.g.Start()
	}
	stop := func() { b.g.Stop(); d.Stop(); clean() }
	if err == nil {
		err = b.g.Flush(30 * time.Second)
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return b, stop, nil
}

// one writes one small file and returns the time from its close to its
// appearance on the remote. The names of the bare runs are excluded from the
// daemon's source, so that each racer does its work alone.
func (b *bench) one(r racer, i int) (time.Duration, error) {
	time.Sleep(150 * time.Millisecond) // idle, whatever came before
	name := fmt.Sprintf("live-%d", i)
	if r.send != nil {
		name = fmt.Sprintf("bare-%d", i)
	}
	if err := os.WriteFile(filepath.Join(b.src, name), []byte("a small change\n"), 0o644); err != nil {
		return 0, err
	}
	begin := time.Now()
	failed := make(chan error, 1)
	if r.send != nil {
		go func() { failed <- r.send(b, name) }()
	}
	for {
		if _, err := os.Lstat(filepath.Join(b.dst, name)); err == nil {
			break
		}
		select {
		case err := <-failed:
			if err != nil {
				return 0, err
			}
		default:
		}
		if time.Since(begin) > 10*time.Second {
			return 0, errors.New("the change does not arrive")
		}
		time.Sleep(50 * time.Microsecond)
	}
	took := time.Since(begin)
	if r.send != nil {
		if err := <-failed; err != nil {
			return 0, err
		}
	}
	return took, nil
}

func (b *bench) rsync(name string, extra ...string) error {
	args := append([]string{"-a"}, extra...)
	out, err := exec.Command("rsync", append(args, filepath.Join(b.src, name), b.target+"/")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("rsync: %w: %s", err, out)
	}
	return nil
}

func (b *bench) report(samples [][]time.Duration) string {
	var w strings.Builder
	fmt.Fprintf(&w, "## One small file, close → visible on the remote\n\n`make bench`, %s, %s.\n\n", time.Now().UTC().Format("2006-01-02"), report.Machine(b.dir))
	fmt.Fprintf(&w, "Idle source, rsync daemon on loopback, %d samples each, in random order in one run.\n\n", len(samples[0]))
	w.WriteString("| | p50 ms | p90 ms | worst ms | p50, bare rsync with TCP_NODELAY = 1 |\n|---|---|---|---|---|\n")
	for _, s := range samples {
		slices.Sort(s)
	}
	for i, r := range racers {
		s := samples[i]
		fmt.Fprintf(&w, "| %s | %s | %s | %s | %.2f |\n", r.name, ms(quantile(s, 0.5)), ms(quantile(s, 0.9)), ms(s[len(s)-1]),
			float64(quantile(s, 0.5))/float64(quantile(samples[1], 0.5)))
	}
	return w.String()
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
