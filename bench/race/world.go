package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gorsyncd/bench/lab"
	"gorsyncd/bench/testbed"
)

// setup describes a world.
type setup struct {
	copies int   // 0 is one
	plain  bool  // the daemon is set up without TCP_NODELAY, as tutorials have it
	ssh    bool  // copies are reached through ssh, not through a daemon
	link   *link // copies are reached through a proxy that counts and delays
	pair   *pair // the tree and its copy, instead of new ones
	src    string
	debug  bool // gorsyncd logs every batch
	never  bool // gorsyncd makes no full sync at its start
	config string
}

// link is a network between source and copies.
type link struct {
	delay time.Duration // each way
	rate  int64         // bytes a second, each way; 0 is unlimited
}

// world is a source and its copies.
type world struct {
	setup
	dir, src string
	aside    string // where the copies are
	dsts     []string

	daemon *testbed.Rsyncd // nil with ssh
	sshd   *testbed.SSHD
	proxy  *lab.Proxy
	state  string        // gorsyncd's state directory
	spent  time.Duration // processor time of bare rsyncs
}

// newWorld makes directories and starts servers.
func (r *rig) newWorld(p place, s setup) (*world, error) {
	dir, err := openDir(p.dir, "w")
	if err != nil {
		return nil, fmt.Errorf("make world: %w", err)
	}
	w := &world{setup: s, dir: dir, src: filepath.Join(dir, "src"), state: filepath.Join(dir, "state")}
	if w.aside, err = openDir(p.copies, "w"); err != nil {
		return nil, fmt.Errorf("make world: %w", err)
	}
	for i := range max(s.copies, 1) {
		w.dsts = append(w.dsts, filepath.Join(w.aside, "dst"+strconv.Itoa(i)))
	}
	if s.src != "" {
		w.src = s.src
	}
	if s.pair != nil {
		w.src, w.dsts = s.pair.src, []string{s.pair.copy}
	}
	if err := w.start(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) start() error {
	for _, d := range append([]string{w.src, filepath.Join(w.dir, "server")}, w.dsts...) {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	server := filepath.Join(w.dir, "server")
	var err error
	if w.ssh {
		w.sshd, err = testbed.NewSSHD(server)
		return err
	}
	var modules []testbed.Module
	for i, d := range w.dsts {
		modules = append(modules, testbed.Module{Name: "m" + strconv.Itoa(i), Path: d})
	}
	if w.daemon, err = testbed.NewRsyncd(server, modules...); err != nil {
		return err
	}
	if w.plain {
		w.daemon.Global = []string{"socket options ="} // the last one counts
		if err := w.daemon.SetModules(modules...); err != nil {
			return err
		}
	}
	if w.link != nil {
		if w.proxy, err = lab.NewProxy(net.JoinHostPort("127.0.0.1", strconv.Itoa(w.daemon.Port))); err != nil {
			return err
		}
		w.proxy.Delay(w.link.delay)
		w.proxy.Rate(w.link.rate)
	}
	return nil
}

// close ends the servers and removes what is not the pair's.
func (w *world) close() {
	if w.proxy != nil {
		_ = w.proxy.Close() // it listens no more, whatever it says
	}
	if w.daemon != nil {
		w.daemon.Stop()
	}
	if w.sshd != nil {
		w.sshd.Stop()
	}
	for _, dir := range []string{w.dir, w.aside} {
		_ = os.RemoveAll(dir) // removed with its place at the latest
	}
}

// target is the rsync address of a copy.
func (w *world) target(i int) string {
	switch {
	case w.ssh:
		return w.sshd.Target(w.dsts[i])
	case w.proxy != nil:
		return fmt.Sprintf("rsync://%s/m%d", w.proxy.Addr, i)
	}
	return w.daemon.Target("m" + strconv.Itoa(i))
}

// shell is what `rsync -e` needs to reach the copies through ssh.
func (w *world) shell() string {
	return fmt.Sprintf("ssh -p %d -i %s -o UserKnownHostsFile=%s -o BatchMode=yes", w.sshd.Port, w.sshd.IdentityFile, w.sshd.KnownHosts)
}

// passed is what went over the wire so far, both ways together.
func (w *world) passed() int64 {
	if w.proxy == nil {
		return 0
	}
	return w.proxy.Passed()
}

// quiet waits until nothing has passed for a while, or the limit is over.
func (w *world) quiet(limit time.Duration) {
	const silence = 300 * time.Millisecond
	last, since := w.passed(), time.Now()
	for deadline := since.Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if now := w.passed(); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > silence {
			return
		}
	}
}
