// The page program measures what looking at gorsyncd costs: a daemon with 500 remotes,
// one of which has 100,000 failing entries, while its status page is opened, stays open,
// and while something is replicated beside it.
//
//	make bench, or: go run ./bench/page -bin build/gorsyncd -out bench/README.md
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

type options struct {
	binary, dir, out string
	remotes, failing int
	pages            int           // open at once, in the hardest case
	watch            time.Duration // how long the processor time is measured
	rounds, files    int           // of the replication rate
}

func main() {
	var o options
	flag.StringVar(&o.binary, "bin", "build/gorsyncd", "the gorsyncd to measure")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where trees and journal are")
	flag.StringVar(&o.out, "out", "", "write the report to this file as well")
	flag.IntVar(&o.remotes, "remotes", 500, "remotes")
	flag.IntVar(&o.failing, "failing", 100_000, "failing entries")
	flag.IntVar(&o.pages, "pages", 10, "pages open at once, in the hardest case")
	flag.DurationVar(&o.watch, "watch", 20*time.Second, "how long processor time is measured")
	flag.IntVar(&o.rounds, "n", 5, "rounds of the replication rate")
	flag.IntVar(&o.files, "files", 5000, "files of a round")
	flag.Parse()
	text, err := run(o)
	if err == nil {
		fmt.Print(text)
		if o.out != "" {
			err = report.Replace(o.out, "page", text)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

// bench is a running daemon.
type bench struct {
	o         options
	dir, addr string
	g         *testbed.Gorsyncd
}

func run(o options) (string, error) {
	dir, err := os.MkdirTemp(o.dir, "gorsyncd-page-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	b := &bench{o: o, dir: dir}
	if err := b.start(); err != nil {
		return "", err
	}
	defer b.g.Stop()
	paint, err := b.paint()
	if err != nil {
		return "", err
	}
	cost, err := b.cost()
	if err != nil {
		return "", err
	}
	rate, err := b.rate()
	if err != nil {
		return "", err
	}
	return b.report(paint, cost, rate), nil
}

// source and target of what is replicated while pages are open.
func (b *bench) source() string { return filepath.Join(b.dir, "rate") }
func (b *bench) target() string { return filepath.Join(b.dir, "copy") }
