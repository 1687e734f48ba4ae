package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gorsyncd/bench/lab"
)

// sample is what the daemon holds at one moment.
type sample struct {
	at                                 time.Duration
	rss, anon, journal                 int64 // bytes; rss with what is mapped of the journal's files, anon without
	fds, threads, goroutines, children int
}

func (s *soak) sample(at time.Duration) error {
	pid := s.g.Pid()
	p := sample{at: at, children: len(lab.Children(pid))}
	m, err := lab.ReadMemory(pid)
	if err != nil {
		return err
	}
	p.rss, p.anon, p.threads = m.RSS, m.Anon, m.Threads
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return fmt.Errorf("count descriptors: %w", err)
	}
	p.fds = len(fds)
	if p.journal, err = diskUse(filepath.Join(s.dir, "state", "journal")); err != nil {
		return err
	}
	out, _, err := s.g.Output("status", "--json")
	if err != nil {
		return err
	}
	var doc struct {
		Daemon struct {
			Goroutines int `json:"goroutines"`
		} `json:"daemon"`
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	p.goroutines = doc.Daemon.Goroutines
	s.samples = append(s.samples, p)
	return nil
}

// diskUse is what a directory takes on its disk: Badger's files are sparse.
func diskUse(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		var st syscall.Stat_t
		if err == nil {
			err = syscall.Lstat(path, &st)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // compacted away meanwhile
		}
		sum += st.Blocks * 512
		return err
	})
	return sum, err
}
