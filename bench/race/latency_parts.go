package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gorsyncd/bench/testbed"
	"gorsyncd/journal"
)

// settleTime is what gorsyncd's default for `settle` makes of a file that was
// closed, with fanotify.
const settleTime = 2 * time.Millisecond / 4

// batchLine is what gorsyncd logs of a batch at level debug, see package
// replicate.
type batchLine struct {
	Time     time.Time // at the end of it
	Msg      string
	Duration float64 `json:"duration_seconds"`
	Items    []string
}

// latencyParts tells where the milliseconds of one change go, from the log at
// level debug and from the parts measured by themselves.
func (r *rig) latencyParts() (string, error) {
	var b strings.Builder
	b.WriteString("Where the time goes, medians in ms. What rsync takes is from gorsyncd's log at level debug, the kernel's event and a commit of one entry are measured by themselves at the same place, the rest of the time before rsync is what is left: looking, planning, and waking goroutines.\n")
	s := &section{}
	var rows [][]string
	for _, p := range r.places {
		row, err := r.latencyPartsAt(p)
		if err != nil {
			return "", err
		}
		rows = append(rows, row)
	}
	s.table([]string{"", "kernel event", "settle", "commit", "look, plan, list", "rsync until visible", "close → visible", "rsync after that, in the background"}, rows)
	return b.String() + s.text.String(), nil
}

func (r *rig) latencyPartsAt(p place) ([]string, error) {
	n := r.size(3, 20, 60)
	w, err := r.newWorld(p, setup{debug: true})
	if err != nil {
		return nil, err
	}
	defer w.close()
	run, err := startGorsyncd(r, w, ours)
	if err != nil {
		return nil, err
	}
	defer run.stop()
	closed, seen := map[string]time.Time{}, map[string]time.Time{}
	for i := range n {
		time.Sleep(150 * time.Millisecond)
		name := fmt.Sprintf("change-%d", i)
		if err := os.WriteFile(filepath.Join(w.src, name), []byte("a small change\n"), 0o644); err != nil {
			return nil, err
		}
		closed[name] = time.Now()
		if seen[name], err = visible(filepath.Join(w.dsts[0], name), time.Now().Add(r.patienceFor(ours).all)); err != nil {
			return nil, err
		}
	}
	if err := flush(run.g, r.patienceFor(ours).all); err != nil {
		return nil, err
	}
	before, during, after, err := readBatches(run.g, closed, seen)
	if err != nil {
		return nil, err
	}
	event, err := eventTime(w.dir, n)
	if err != nil {
		return nil, err
	}
	commit, err := commitTime(filepath.Join(w.dir, "measured"), n)
	if err != nil {
		return nil, err
	}
	var total []time.Duration
	for name, at := range seen {
		total = append(total, at.Sub(closed[name]))
	}
	rest := max(median(before)-event-settleTime-commit, 0)
	row := []string{p.name}
	for _, d := range []time.Duration{event, settleTime, commit, rest, median(during), median(total), median(after)} {
		row = append(row, fmt.Sprintf("%.2f", float64(d.Microseconds())/1000))
	}
	return row, nil
}

// readBatches finds the batch of each file in the log, and splits the time: from
// close to the start of rsync, from there until visible, from there to the end
// of rsync.
func readBatches(g *testbed.Gorsyncd, closed, seen map[string]time.Time) (before, during, after []time.Duration, err error) {
	log, err := os.ReadFile(g.Log)
	if err != nil {
		return nil, nil, nil, err
	}
	for line := range strings.Lines(string(log)) {
		var l batchLine
		if json.Unmarshal([]byte(line), &l) != nil || l.Msg != "batch" {
			continue
		}
		for _, item := range l.Items {
			name, _, _ := strings.Cut(item, "#")
			at, ok := seen[name]
			if !ok {
				continue
			}
			start := l.Time.Add(-time.Duration(l.Duration * float64(time.Second)))
			before = append(before, start.Sub(closed[name]))
			during = append(during, at.Sub(start))
			after = append(after, l.Time.Sub(at))
		}
	}
	if len(before) < len(seen) {
		return nil, nil, nil, fmt.Errorf("%d of %d batches are in %s", len(before), len(seen), g.Log)
	}
	return before, during, after, nil
}

// eventTime is the median of the time from a close to its event, when a process
// waits for it.
func eventTime(dir string, n int) (time.Duration, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		return 0, fmt.Errorf("watch: %w", err)
	}
	defer syscall.Close(fd)
	if _, err := syscall.InotifyAddWatch(fd, dir, syscall.IN_CLOSE_WRITE); err != nil {
		return 0, fmt.Errorf("watch: %w", err)
	}
	came := make(chan time.Time)
	go func() {
		buf := make([]byte, 4096)
		for range n {
			if _, err := syscall.Read(fd, buf); err != nil {
				break // then the times below are wrong by far, and no number comes of it
			}
			came <- time.Now()
		}
		close(came)
	}()
	var all []time.Duration
	for range n {
		time.Sleep(5 * time.Millisecond)
		if err := os.WriteFile(filepath.Join(dir, "event"), nil, 0o644); err != nil {
			return 0, err
		}
		closed := time.Now()
		at, ok := <-came
		if !ok {
			return 0, fmt.Errorf("watch: no event")
		}
		all = append(all, max(at.Sub(closed), 0))
	}
	return median(all), nil
}

// commitTime is the median of the time to record one change.
func commitTime(dir string, n int) (time.Duration, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	j, err := journal.Open(journal.Options{Dir: filepath.Join(dir, "journal")})
	if err != nil {
		return 0, err
	}
	defer j.Close()
	src, err := j.Source("s")
	if err != nil {
		return 0, err
	}
	var all []time.Duration
	for i := range n {
		now := time.Now()
		o := journal.Observation{Path: fmt.Sprintf("f%d", i), At: now.UnixNano(),
			State: journal.State{Type: journal.File, Ino: uint64(i + 2), Nlink: 1, Mtime: now.UnixNano(), Ctime: now.UnixNano()}}
		if _, err := src.Record(context.Background(), []journal.Observation{o}); err != nil {
			return 0, err
		}
		all = append(all, time.Since(now))
		time.Sleep(5 * time.Millisecond)
	}
	return median(all), nil
}
