package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	var err error
	if err = p.ofProcess(pid); err != nil {
		return err
	}
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

// ofProcess reads resident memory and the number of threads, see proc(5).
func (p *sample) ofProcess(pid int) error {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return fmt.Errorf("read process status: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		switch {
		case len(f) < 2:
		case f[0] == "VmRSS:":
			p.rss, err = strconv.ParseInt(f[1], 10, 64)
			p.rss <<= 10
		case f[0] == "RssAnon:":
			p.anon, err = strconv.ParseInt(f[1], 10, 64)
			p.anon <<= 10
		case f[0] == "Threads:":
			p.threads, err = strconv.Atoi(f[1])
		}
		if err != nil {
			return fmt.Errorf("read process status: %w", err)
		}
	}
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
