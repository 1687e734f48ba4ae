package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// result is what one cycle came to.
type result struct {
	Row     string  `json:"row"`
	FS      string  `json:"fs"`
	Seed    uint64  `json:"seed"`
	Cycle   int     `json:"cycle"`
	Kills   int     `json:"kills"` // SIGKILLs of the daemon
	Equal   bool    `json:"equal"`
	Seconds float64 `json:"seconds"`
	Looks   int     `json:"looks"` // reads of the observer, in this world up to now
	Commit  string  `json:"commit"`
	Date    string  `json:"date"`

	// Told is set by hand, of a failure whose cause stands in the list of what was
	// found, so that the table is of what holds now.
	Told bool `json:"told,omitempty"`
}

// recorder appends results to a file that several runs may share.
type recorder struct {
	mu     sync.Mutex
	path   string
	commit string
	date   string
	failed int
	done   int
	kills  int
}

func (r *recorder) add(res result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	res.Commit, res.Date = r.commit, r.date
	r.done++
	r.kills += res.Kills
	if !res.Equal {
		r.failed++
	}
	if r.path == "" {
		return
	}
	b, err := json.Marshal(res)
	if err != nil {
		panic(err) // numbers and strings always marshal
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.Write(append(b, '\n'))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "write result:", err)
	}
}

func readResults(path string) ([]result, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []result
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		var r result
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, r)
	}
	return out, sc.Err()
}
