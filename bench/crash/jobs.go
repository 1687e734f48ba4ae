package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// job is one world.
type job struct {
	row  *row
	fs   string
	n    int
	seed uint64
}

func (o *options) jobs(picked []*row) (together, alone []job) {
	for i, r := range picked {
		for k, fs := range o.fileSystems(r) {
			j := job{r, fs, o.share(r, k), o.seed + uint64(i*10+k)}
			switch {
			case j.n == 0:
			case r.global:
				alone = append(alone, j)
			default:
				together = append(together, j)
			}
		}
	}
	// The longest go first, so that the lanes end together.
	slices.SortStableFunc(together, func(a, b job) int {
		return cmp.Or(cmp.Compare(b.row.patience, a.row.patience), cmp.Compare(b.n, a.n))
	})
	return together, alone
}

// runAll runs worlds at once, then those that change the whole machine.
func (o *options) runAll(together, alone []job, until time.Time, rec *recorder) error {
	var mu sync.Mutex
	var failed []error
	one := func(j job) {
		if time.Now().After(until) {
			return
		}
		if err := o.run(j, until, rec); err != nil {
			mu.Lock()
			defer mu.Unlock()
			failed = append(failed, err)
		}
	}
	queue := make(chan job)
	var wg sync.WaitGroup
	for range max(1, o.lanes) {
		wg.Go(func() {
			for j := range queue {
				one(j)
			}
		})
	}
	for _, j := range together {
		queue <- j
	}
	close(queue)
	wg.Wait()
	for _, j := range alone {
		one(j)
	}
	return errors.Join(failed...)
}

func (o *options) run(j job, until time.Time, rec *recorder) error {
	begin, done := time.Now(), 0
	err := run(j, filepath.Join(o.dir, j.row.name+"-"+j.fs), o.bin, o.short, until, func(r result) {
		done++
		rec.add(r)
	})
	word := "equal"
	if err != nil {
		word = "FAILED"
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Printf("%-18s %-6s %4d faults  %6.1f s  %s\n", j.row.name, j.fs, done, time.Since(begin).Seconds(), word)
	return err
}
