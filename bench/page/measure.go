package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// shot is one document that was asked for several times.
type shot struct {
	name   string
	p50    time.Duration
	worst  time.Duration
	bytes  int
	target time.Duration // 0: none
}

const shots = 20

func (b *bench) get(path string) (int, time.Duration, error) {
	begun := time.Now()
	resp, err := http.Get("http://" + b.addr + path)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return int(n), time.Since(begun), err
}

// paint measures what a page is made of.
func (b *bench) paint() ([]shot, error) {
	var out []shot
	for _, s := range []struct {
		name, path string
		target     time.Duration
	}{
		{"the page, rendered", "/", time.Second},
		{"`/api/v1/status`", "/api/v1/status", 0},
		{"`/api/v1/lag`", "/api/v1/lag", 0},
		{"`/api/v1/entries`, the first 100", "/api/v1/entries?limit=100", 0},
		{"`/api/v1/entries` with a name that the last page has", fmt.Sprintf("/api/v1/entries?limit=100&contains=%06d", b.o.failing-1), 0},
		{"`/metrics`", "/metrics", 0},
	} {
		var times []time.Duration
		got := shot{name: s.name, target: s.target}
		for range shots {
			n, took, err := b.get(s.path)
			if err != nil {
				return nil, err
			}
			times, got.bytes = append(times, took), n
		}
		slices.Sort(times)
		got.p50, got.worst = times[len(times)/2], times[len(times)-1]
		out = append(out, got)
	}
	return out, nil
}

// page holds open what a page in a browser does.
func (b *bench) page(ctx context.Context, wg *sync.WaitGroup) {
	for _, path := range []string{"/api/v1/live", "/api/v1/events?last=0"} {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(ctx, "GET", "http://"+b.addr+path, nil)
			if err != nil {
				return
			}
			req.Header.Set("Accept", "text/event-stream")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return
			}
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, bufio.NewReader(resp.Body)) // until it is closed
		})
	}
}

// with runs do while n pages are open.
func (b *bench) with(n int, do func() error) error {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range n {
		b.page(ctx, &wg)
	}
	time.Sleep(2 * time.Second) // until they have what they begin with
	err := do()
	cancel()
	wg.Wait()
	return err
}

// usage is how much of one processor the daemon uses.
type usage struct {
	name  string
	pages []int
	share []float64
}

// cost measures the processor time with nothing going on, and with every remote
// further behind each second, so that all of them change.
func (b *bench) cost() ([]usage, error) {
	var out []usage
	for _, u := range []struct {
		name string
		do   func() error
	}{
		{"nothing changes", func() error { return nil }},
		{"all remotes are paused and behind, so each changes every second", b.fallBehind},
	} {
		if err := u.do(); err != nil {
			return nil, err
		}
		got := usage{name: u.name}
		for _, n := range []int{0, 1, b.o.pages} {
			err := b.with(n, func() error {
				before, err := b.ticks()
				if err != nil {
					return err
				}
				begun := time.Now()
				time.Sleep(b.o.watch)
				after, err := b.ticks()
				got.pages, got.share = append(got.pages, n), append(got.share, (after-before)/time.Since(begun).Seconds())
				return err
			})
			if err != nil {
				return nil, err
			}
		}
		out = append(out, got)
	}
	return out, nil
}

func (b *bench) fallBehind() error {
	if out, code, err := b.g.Run("pause", many+"/*"); err != nil || code != 0 {
		return errors.Join(err, fmt.Errorf("pause: exit %d %s", code, out))
	}
	return os.WriteFile(filepath.Join(b.dir, many, "f"), []byte("x"), 0o644)
}

// ticks is the processor time of the daemon in seconds.
func (b *bench) ticks() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.g.Pid()))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, uerr := strconv.ParseFloat(fields[11], 64)
	system, serr := strconv.ParseFloat(fields[12], 64)
	const perSecond = 100 // of the kernel's interface, whatever its own clock is
	return (user + system) / perSecond, errors.Join(uerr, serr)
}

// speed is how fast files were replicated, by the number of pages.
type speed struct {
	pages int
	took  []time.Duration
}

// rate measures a burst of files with and without open pages, in turns.
func (b *bench) rate() ([]speed, error) {
	out := []speed{{pages: 0}, {pages: 1}, {pages: b.o.pages}}
	for round := range b.o.rounds {
		for i := range out {
			s := &out[(round+i)%len(out)]
			err := b.with(s.pages, func() error {
				took, err := b.burst(fmt.Sprintf("%d-%d", round, s.pages))
				s.took = append(s.took, took)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (b *bench) burst(name string) (time.Duration, error) {
	begun := time.Now()
	for i := range b.o.files {
		dir := filepath.Join(b.source(), name, strconv.Itoa(i/100))
		if i%100 == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return 0, err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), []byte(name), 0o644); err != nil {
			return 0, err
		}
	}
	err := b.flush()
	return time.Since(begun), err
}

// flush waits for the one remote that is measured.
func (b *bench) flush() error {
	out, code, err := b.g.Run("flush", "--remote", "rate/copy", "--timeout", "2m")
	if err == nil && code != 0 {
		err = fmt.Errorf("flush: exit status %d\n%s", code, out)
	}
	return err
}
