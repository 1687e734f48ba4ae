// The fsync program measures what the setting `fsync: true` of a remote costs:
// many small files and one big one, sent by one gorsyncd to two remotes on the
// same disk that differ in nothing else, one after the other.
//
//	make bench, or: go run ./bench/fsync -bin build/gorsyncd -dir /a/disk
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gorsyncd/bench/report"
	"gorsyncd/bench/testbed"
)

func main() {
	binary := flag.String("bin", "build/gorsyncd", "the gorsyncd to measure")
	disk := flag.String("dir", os.TempDir(), "a directory on the disk to measure")
	out := flag.String("out", "", "write the report to this file as well")
	rounds := flag.Int("n", 5, "rounds of each load")
	flag.Parse()
	text, err := run(*binary, *disk, *rounds)
	if err == nil {
		fmt.Print(text)
		if *out != "" {
			err = report.Replace(*out, "fsync", text)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fsync:", err)
		os.Exit(1)
	}
}

// load is one kind of change.
type load struct {
	name  string
	files int
	size  int64 // bytes of each
}

var loads = []load{
	{"2,000 files of 4 KiB in 20 directories", 2000, 4 << 10},
	{"one file of 200 MB", 1, 200_000_000},
}

// remotes are the names of the two, without fsync first.
var remotes = []string{"plain", "fsync"}

type bench struct {
	dir, src string
	g        *testbed.Gorsyncd
}

func run(binary, disk string, rounds int) (string, error) {
	b, stop, err := start(binary, disk)
	if err != nil {
		return "", err
	}
	defer stop()
	took := map[string][]time.Duration{} // by load and remote
	for round := range rounds {
		for _, l := range loads {
			if err := b.round(l, round, took); err != nil {
				return "", fmt.Errorf("%s: %w", l.name, err)
			}
		}
	}
	return b.report(took, rounds), nil
}

func start(binary, disk string) (*bench, func(), error) {
	dir, err := os.MkdirTemp(disk, "gorsyncd-bench-")
	if err != nil {
		return nil, nil, err
	}
	clean := func() { os.RemoveAll(dir) }
	b := &bench{dir: dir, src: filepath.Join(dir, "src")}
	modules := []testbed.Module{}
	for _, name := range append([]string{"src", "rsyncd"}, remotes...) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			clean()
			return nil, nil, err
		}
	}
	for _, name := range remotes {
		modules = append(modules, testbed.Module{Name: name, Path: filepath.Join(dir, name)})
	}
	d, err := testbed.NewRsyncd(filepath.Join(dir, "rsyncd"), modules...)
	if err != nil {
		clean()
		return nil, nil, err
	}
	yaml := fmt.Sprintf("sources:\n  - path: %s\n    name: s\n    remotes:\n      - {name: plain, target: %q}\n      - {name: fsync, target: %q, fsync: true}\n",
		b.src, d.Target("plain"), d.Target("fsync"))
	if b.g, err = testbed.NewGorsyncd(binary, dir, yaml); err == nil {
		err = b.g.Start()
	}
	stop := func() { b.g.Stop(); d.Stop(); clean() }
	if err == nil {
		err = b.g.Flush(time.Minute)
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return b, stop, nil
}

// round makes a change while both remotes are paused and measures each from its
// resumption to the end of its flush. They take turns in being first.
func (b *bench) round(l load, round int, took map[string][]time.Duration) error {
	if err := b.command("pause", "s/*"); err != nil {
		return err
	}
	if err := b.write(l, round); err != nil {
		return err
	}
	time.Sleep(3 * time.Second) // until it is journaled
	order := slices.Clone(remotes)
	if round%2 == 1 {
		slices.Reverse(order)
	}
	for _, name := range order {
		syscall.Sync() // what others have left to write is not its cost
		begin := time.Now()
		if err := b.command("resume", "s/"+name); err != nil {
			return err
		}
		if err := b.command("flush", "--timeout", "5m", "--remote", "s/"+name); err != nil {
			return err
		}
		took[l.name+name] = append(took[l.name+name], time.Since(begin))
	}
	return nil
}

func (b *bench) command(args ...string) error {
	out, code, err := b.g.Run(args...)
	if err == nil && code != 0 {
		err = fmt.Errorf("gorsyncd %v: exit status %d\n%s", args, code, out)
	}
	return err
}

func (b *bench) write(l load, round int) error {
	content := []byte(strings.Repeat(fmt.Sprintf("round %d\n", round), int(l.size/8+1)))[:l.size]
	for i := range l.files {
		dir := filepath.Join(b.src, fmt.Sprintf("%d-%d", l.files, i%20))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d-%d", round, i)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) report(took map[string][]time.Duration, rounds int) string {
	var w strings.Builder
	fmt.Fprintf(&w, "## What fsync costs\n\n`go run ./bench/fsync`, %s, %s.\n\n", time.Now().UTC().Format("2006-01-02"), report.Machine(b.dir))
	fmt.Fprintf(&w, "One gorsyncd, two remotes on one rsync daemon on loopback and one disk, with and without `fsync: true`; from the resumption of a paused remote to the end of its flush. Median (worst) of %d rounds.\n\n", rounds)
	w.WriteString("| | without, s | with, s | without = 1 |\n|---|---|---|---|\n")
	for _, l := range loads {
		plain, synced := took[l.name+remotes[0]], took[l.name+remotes[1]]
		slices.Sort(plain)
		slices.Sort(synced)
		fmt.Fprintf(&w, "| %s | %s | %s | %.2f |\n", l.name, median(plain), median(synced),
			float64(synced[len(synced)/2])/float64(plain[len(plain)/2]))
	}
	return w.String()
}

func median(sorted []time.Duration) string {
	return fmt.Sprintf("%.2f (%.2f)", sorted[len(sorted)/2].Seconds(), sorted[len(sorted)-1].Seconds())
}
