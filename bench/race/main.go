package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"gorsyncd/bench/lab"
)

// scenarios in the order of the report.
var scenarios = []*scenario{latency, burst, rewrite, move, full, restart, memory, processor, remotes, sources, dirs}

// options are the flags.
type options struct {
	binary, only, out string
	task, racer       *regexp.Regexp // nil: all
	tmpfs, disk       string
	rounds            int
	seed              uint64
	limit             time.Duration
	level             level
	big, debug        bool
}

func main() {
	if err := lab.OwnMounts(); err != nil {
		fmt.Fprintln(os.Stderr, "race: copies lie beside their sources:", err)
	}
	o := options{level: whole}
	flag.StringVar(&o.binary, "bin", "build/gorsyncd", "the gorsyncd to measure")
	flag.StringVar(&o.only, "only", "", "scenarios, separated by commas (all): "+names(scenarios))
	flag.StringVar(&o.out, "out", "", "write the sections and plots into README.md of this directory as well")
	flag.StringVar(&o.tmpfs, "tmpfs", "/dev/shm", "directory on a file system in memory, empty for none")
	flag.StringVar(&o.disk, "disk", os.TempDir(), "directory on a disk, empty for none")
	flag.IntVar(&o.rounds, "n", 0, "rounds, or samples of latency; 0: what each scenario needs")
	flag.Uint64Var(&o.seed, "seed", 0, "seed of the order; 0 draws one")
	flag.DurationVar(&o.limit, "limit", time.Minute, "how long to wait for copies of peers to get equal")
	flag.BoolVar(&o.big, "big", false, "memory: 5 million files and a backlog of one million as well")
	flag.BoolVar(&o.debug, "debug", false, "have gorsyncd log every batch, which costs it some time; the log of a failure is kept")
	flag.Func("task", "only the comparisons whose name matches this expression", compile(&o.task))
	flag.Func("racer", "only the racers whose name matches", compile(&o.racer))
	fast := flag.Bool("quick", false, "smaller trees and fewer rounds")
	flag.Parse()
	if *fast {
		o.level = quick
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "race:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	picked, err := pick(o.only)
	if err != nil {
		return err
	}
	if _, err := lab.Computed(); err != nil {
		return err
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1 << 40)
	}
	r, err := newRig(o)
	if err != nil {
		return err
	}
	defer r.close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stop)
	go func() {
		if _, ok := <-stop; ok {
			r.close() // children die with us
			os.Exit(130)
		}
	}()
	fmt.Printf("seed %d\n", o.seed)
	var errs []error
	for _, s := range picked {
		begin := time.Now()
		if err := r.race(s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err)) // the others do not depend on it
		}
		r.logf("%s took %.0f s", s.name, time.Since(begin).Seconds())
	}
	if len(r.failures) > 0 {
		errs = append(errs, fmt.Errorf("gorsyncd did not make copies equal:\n%s", strings.Join(r.failures, "\n")))
	}
	return errors.Join(errs...)
}

func compile(to **regexp.Regexp) func(string) error {
	return func(expr string) (err error) {
		*to, err = regexp.Compile(expr)
		return err
	}
}

func names(list []*scenario) string {
	var out []string
	for _, s := range list {
		out = append(out, s.name)
	}
	return strings.Join(out, ",")
}

func pick(only string) ([]*scenario, error) {
	if only == "" {
		return scenarios, nil
	}
	var out []*scenario
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(scenarios, func(s *scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no scenario %q: there are %s", name, names(scenarios))
		}
		out = append(out, scenarios[i])
	}
	return out, nil
}

// write puts a section and its plots in place.
func (r *rig) write(s *scenario, text string, plots map[string]string) error {
	fmt.Print(text, "\n")
	if r.o.out == "" {
		return nil
	}
	for name, svg := range plots {
		if err := os.WriteFile(filepath.Join(r.o.out, name), []byte(svg), 0o644); err != nil {
			return fmt.Errorf("write plot: %w", err)
		}
	}
	return r.replace(s.name, text)
}
