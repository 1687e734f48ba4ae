package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gorsyncd/bench/testbed"
	"gorsyncd/journal"
)

// many is the source with all the remotes.
const many = "many"

func remote(i int) string { return fmt.Sprintf("r%03d", i) }

// start writes the configuration and the journal, and starts the daemon.
func (b *bench) start() error {
	var yaml strings.Builder
	fmt.Fprintf(&yaml, "defaults: {retry: {initial: 1d, max: 7d, jitter: 0}, full_sync: {on_start: never}}\nsources:\n"+
		"  - {name: rate, path: %q, remotes: [{name: copy, target: %q}]}\n  - name: %s\n    path: %q\n    remotes:\n", b.source(), b.target(), many, filepath.Join(b.dir, many))
	for i := range b.o.remotes {
		target := filepath.Join(b.dir, "targets", remote(i))
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		fmt.Fprintf(&yaml, "      - {name: %s, target: %q}\n", remote(i), target)
	}
	for _, dir := range []string{b.source(), b.target(), filepath.Join(b.dir, many)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.addr = l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	fmt.Fprintf(&yaml, "http: {listen: %q, max_clients: %d}\n", b.addr, 4*b.o.pages)
	if err := b.fail(); err != nil {
		return err
	}
	if b.g, err = testbed.NewGorsyncd(b.o.binary, b.dir, yaml.String()); err != nil {
		return err
	}
	if err := b.g.Start(); err != nil {
		return err
	}
	time.Sleep(10 * time.Second) // until all remotes have been looked at
	return b.flush()
}

// fail writes a journal in which one remote has the failing entries. To have them
// fail for real takes an hour.
func (b *bench) fail() error {
	dir := filepath.Join(b.dir, "state", "journal")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	j, err := journal.Open(journal.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer j.Close()
	src, err := j.Source(many)
	if err != nil {
		return err
	}
	for i := range b.o.remotes {
		r, err := src.Remote(remote(i))
		if err != nil {
			return err
		}
		if err := r.Commit(context.Background(), journal.Update{EndFullSync: true}); err != nil {
			return err
		}
	}
	r, err := src.Remote(remote(b.o.remotes / 2))
	if err != nil {
		return err
	}
	const step = 2000
	now := time.Now()
	for from := 0; from < b.o.failing; from += step {
		var up journal.Update
		for i := from; i < min(from+step, b.o.failing); i++ {
			up.PutRetry = append(up.PutRetry, journal.Retry{Path: fmt.Sprintf("directory-%03d/a file that fails %06d.jpg", i/1000, i), Op: journal.OpChange,
				Attempts: 9, First: now.Add(-time.Hour), Next: now.Add(24 * time.Hour), ErrorID: "E-DEST-PERM", Error: "rsync: [receiver] mkstemp failed: Permission denied (13)"})
		}
		if err := r.Commit(context.Background(), up); err != nil {
			return err
		}
	}
	return nil
}
