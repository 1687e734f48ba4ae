package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"gorsyncd/bench/testbed"
)

// newGorsyncd writes the configuration of a world.
func newGorsyncd(r *rig, w *world) (*testbed.Gorsyncd, error) {
	level := "info"
	if w.debug || r.o.debug {
		level = "debug"
	}
	var b strings.Builder
	// Guards stop what the scenarios do on purpose.
	fmt.Fprintf(&b, "log: {level: %s, format: json}\ndefaults:\n  guard: {max_delete: 0}\n", level)
	if w.never {
		b.WriteString("  full_sync: {on_start: never}\n")
	}
	if w.config != "" {
		fmt.Fprintf(&b, "  %s\n", w.config)
	}
	if w.ssh {
		fmt.Fprintf(&b, "  ssh: {port: %d, identity_file: %s, known_hosts: %s}\n", w.sshd.Port, w.sshd.IdentityFile, w.sshd.KnownHosts)
	}
	fmt.Fprintf(&b, "sources:\n  - path: %s\n    name: s\n    remotes:\n", w.src)
	for i := range w.dsts {
		fmt.Fprintf(&b, "      - {name: r%d, target: %q}\n", i, w.target(i))
	}
	return testbed.NewGorsyncdIn(r.o.binary, w.dir, w.state, b.String())
}

func startGorsyncd(r *rig, w *world, _ *racer) (*runner, error) {
	g, err := newGorsyncd(r, w)
	if err != nil {
		return nil, err
	}
	return spawn(g)
}

// spawn starts a daemon and waits until all copies are equal.
func spawn(g *testbed.Gorsyncd) (*runner, error) {
	if err := g.Spawn(); err != nil {
		return nil, err
	}
	if err := flush(g, readyLimit(1_000_000)); err != nil {
		g.Stop()
		return nil, err
	}
	return &runner{pids: []int{g.Pid()}, stop: g.Stop, g: g}, nil
}

// flush waits until a daemon that was just started, or runs, has brought over
// every change made so far. It asks through the socket as `gorsyncd flush` does,
// without the time that a program takes to start.
func flush(g *testbed.Gorsyncd, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		err := askFlush(g, limit)
		var absent *net.OpError
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &absent) || absent.Op != "dial" || time.Now().After(deadline):
			return err
		}
		select {
		case <-g.Done():
			return fmt.Errorf("gorsyncd ended (see %s)", g.Log)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// askFlush posts one request and reads the lines of the answer to their end.
func askFlush(g *testbed.Gorsyncd, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit+time.Second)
	defer cancel()
	body := fmt.Sprintf(`{"timeout": %d}`, limit)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gorsyncd/api/v1/flush", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	socket := filepath.Join(filepath.Dir(g.Config), "socket")
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	defer res.Body.Close()
	for d := json.NewDecoder(res.Body); ; {
		var line struct {
			Done  bool
			Error *struct{ Message string }
		}
		switch err := d.Decode(&line); {
		case err != nil && !errors.Is(err, io.EOF):
			return fmt.Errorf("flush: read answer: %w", err)
		case err != nil || line.Done:
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("flush: %s", res.Status)
			}
			return nil
		case line.Error != nil:
			return fmt.Errorf("flush: %s", line.Error.Message)
		}
	}
}

// daemonStatus is what the scenarios read of `gorsyncd status --json`.
type daemonStatus struct {
	Sources []struct {
		Overflows int    `json:"overflows"` // of the kernel's event queue, since the start
		Backend   string `json:"backend"`
		Unwatched int    `json:"unwatched"` // directories
	} `json:"sources"`
	Remotes []struct {
		Lag int `json:"lag_entries"`
	} `json:"remotes"`
}

func readStatus(g *testbed.Gorsyncd) (daemonStatus, error) {
	var doc daemonStatus
	out, _, err := g.Output("status", "--json")
	if err != nil {
		return doc, err
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		return doc, fmt.Errorf("read status: %w", err)
	}
	if len(doc.Sources) == 0 || len(doc.Remotes) == 0 {
		return doc, fmt.Errorf("read status: no source or remote in %.100s", out)
	}
	return doc, nil
}
