package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gorsyncd/bench/lab"
)

// options are the flags.
type options struct {
	bin, rows, fs, dir, out, report string
	n                               int
	minutes                         float64
	seed                            uint64
	lanes                           int
	list, short                     bool
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "build/gorsyncd-failpoints", "gorsyncd built with -tags failpoints")
	flag.StringVar(&o.rows, "row", "all", "rows of the fault matrix: names, prefix*, or all, separated by commas")
	flag.StringVar(&o.fs, "fs", "", "dir, ext4, xfs, btrfs, tmpfs; empty: each row's own, in turn")
	flag.StringVar(&o.dir, "dir", "", "where the worlds live (a new temporary directory)")
	flag.StringVar(&o.out, "out", "", "file to append results to, JSON lines")
	flag.StringVar(&o.report, "report", "", "write the table of the results in -out into this file instead of running")
	flag.IntVar(&o.n, "faults", 10, "faults of each row")
	flag.Float64Var(&o.minutes, "minutes", 0, "stop after this long; 0 is no limit")
	flag.Uint64Var(&o.seed, "seed", 0, "seed; 0 draws one")
	flag.IntVar(&o.lanes, "lanes", 1, "worlds at once; rows that change the whole machine come last, one by one")
	flag.BoolVar(&o.list, "list", false, "print the rows")
	flag.BoolVar(&o.short, "short", false, "every row once, on one file system")
	flag.Parse()
	err := lab.OwnMounts()
	if err == nil {
		err = o.main()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

func (o *options) main() error {
	switch {
	case o.list:
		for _, r := range rows() {
			fmt.Printf("%-18s %s\n", r.name, r.what)
		}
		return nil
	case o.report != "":
		return report(o.out, o.report)
	}
	picked, err := pick(o.rows)
	if err != nil {
		return err
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1 << 40)
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "gorsyncd-crash"); err != nil {
			return err
		}
	}
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return err
	}
	rec := &recorder{path: o.out, commit: commit(), date: time.Now().UTC().Format("2006-01-02")}
	until := time.Now().Add(1000 * time.Hour)
	if o.minutes > 0 {
		until = time.Now().Add(time.Duration(o.minutes * float64(time.Minute)))
	}
	fmt.Printf("seed %d, worlds in %s\n", o.seed, o.dir)
	together, alone := o.jobs(picked)
	err = o.runAll(together, alone, until, rec)
	fmt.Printf("%d faults, %d kills of the daemon, %d divergences\n", rec.done, rec.kills, rec.failed)
	if err == nil {
		_ = os.Remove(o.dir) // not empty: not ours alone
	}
	return err
}

// fileSystems is where a row runs.
func (o *options) fileSystems(r *row) []string {
	switch {
	case o.fs != "" && (len(r.disks) == 0 || o.fs == "dir"):
		return []string{o.fs}
	case o.fs != "":
		for _, d := range r.disks {
			if d == o.fs {
				return []string{o.fs}
			}
		}
		return nil
	case len(r.disks) == 0:
		return []string{"dir"}
	case o.short:
		return []string{r.disks[o.seed%uint64(len(r.disks))]}
	}
	return r.disks
}

// share divides the faults of a row between its file systems.
func (o *options) share(r *row, j int) int {
	fs := len(o.fileSystems(r))
	if o.short {
		return 1
	}
	all := o.n * max(1, r.weight)
	n := all / fs
	if j < all%fs {
		n++
	}
	return n
}

// commit is the checkout's, as far as it is one.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
