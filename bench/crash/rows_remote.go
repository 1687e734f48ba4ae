package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gorsyncd/bench/lab"
	"gorsyncd/bench/testbed"
)

// remoteRows are remotes that are sick or hostile. Only the first remote is
// touched; the other must stay in step meanwhile.
func remoteRows() []*row {
	return []*row{
		{name: "remote-killed", what: "the rsync daemon and what it serves are killed in the middle of files", inject: remoteKilled},
		{name: "remote-receiver", what: "one receiving process is killed in the middle of a file", inject: remoteReceiver},
		{name: "remote-stopped", what: "the remote freezes (SIGSTOP) past the timeout", inject: remoteStopped},
		{name: "remote-flapping", what: "the remote goes down and up every 100–400 ms", inject: remoteFlapping},
		{name: "remote-slow", what: "a line of 1 mbit/s (tbf)", setup: behindLink, inject: remoteSlow},
		{name: "remote-blackhole", what: "a route that swallows everything", setup: behindLink, inject: remoteBlackhole},
		{name: "remote-linkdown", what: "the link goes down and up", setup: behindLink, inject: remoteLinkDown},
		{name: "remote-cut", what: "connections are reset after a random number of bytes", setup: behindProxy, inject: remoteCut},
		{name: "remote-busy", what: "max connections reached", inject: remoteConfig(func(m *testbed.Module, d *testbed.Rsyncd, _ string) { m.Extra = []string{"max connections = -1"} })},
		{name: "remote-auth", what: "the password changes on the remote", inject: remoteConfig(func(m *testbed.Module, d *testbed.Rsyncd, dir string) {
			m.Extra = []string{"auth users = nobody", "secrets file = " + filepath.Join(dir, "none")}
		})},
		{name: "remote-nomodule", what: "the module is renamed", inject: remoteConfig(func(m *testbed.Module, _ *testbed.Rsyncd, _ string) { m.Name = "other" })},
		{name: "remote-readonly", what: "the module becomes read-only", inject: remoteConfig(func(m *testbed.Module, _ *testbed.Rsyncd, _ string) { m.Extra = []string{"read only = true"} })},
		{name: "remote-nodelete", what: "the module refuses deletions", inject: remoteConfig(func(m *testbed.Module, _ *testbed.Rsyncd, _ string) { m.Extra = []string{"refuse options = delete"} })},
		{name: "remote-gone", what: "the module's directory is not there (not mounted)", inject: remoteGone, blind: true},
		{name: "remote-munge", what: "the module munges symlinks for a while (use chroot = no); found and repaired by verify", verify: verifyRepair,
			inject: remoteConfig(func(m *testbed.Module, _ *testbed.Rsyncd, _ string) { m.Extra = []string{"use chroot = no"} })},
		{name: "remote-nonroot", what: "the receiver is not root for a while (uid = nobody); found and repaired by verify", verify: verifyRepair,
			inject: remoteConfig(func(m *testbed.Module, _ *testbed.Rsyncd, _ string) {
				m.Extra = []string{"uid = nobody", "gid = nogroup"}
			})},
		{name: "remote-old", what: "rsync 3.2.7 on the remote; SIGKILL of the daemon", setup: oldRemote, inject: killRandom},
		{name: "client-old", what: "rsync 3.2.7 on our side; SIGKILL of the daemon", setup: oldClient, inject: killRandom},
		{name: "rsync-fails", what: "rsync ends with a random exit code after its work, or before it", setup: wrapped, inject: rsyncFails},
		{name: "rsync-lies", what: "rsync does nothing and ends with 0; found and repaired by verify", setup: func(w *world) error { return errors.Join(wrapped(w), deleteAll(w)) }, inject: rsyncLies, verify: verifyRepair, blind: true},
	}
}

func remoteKilled(w *world) error {
	w.after(0, 600*time.Millisecond)
	w.fault("remote killed")
	w.remotes[0].rsyncd.Stop()
	w.after(0, 800*time.Millisecond)
	return w.remotes[0].rsyncd.Start()
}

func remoteReceiver(w *world) error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		kids := lab.Children(w.remotes[0].rsyncd.Pid())
		if len(kids) == 0 {
			continue
		}
		pid := kids[w.rnd.IntN(len(kids))].PID
		w.fault("SIGKILL of receiver %d", pid)
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			return nil
		}
	}
	return fmt.Errorf("nothing was received for 20 s")
}

func remoteStopped(w *world) error {
	w.after(0, 500*time.Millisecond)
	pids := []int{w.remotes[0].rsyncd.Pid()}
	for _, c := range lab.Children(pids[0]) {
		pids = append(pids, c.PID)
	}
	for _, p := range pids {
		_ = syscall.Kill(p, syscall.SIGSTOP)
	}
	w.fault("remote stopped")
	w.after(500*time.Millisecond, 7*time.Second)
	for _, p := range pids {
		_ = syscall.Kill(p, syscall.SIGCONT)
	}
	return nil
}

func remoteFlapping(w *world) error {
	for range 2 + w.rnd.IntN(4) {
		w.after(100*time.Millisecond, 400*time.Millisecond)
		w.remotes[0].rsyncd.Stop()
		w.fault("down")
		w.after(100*time.Millisecond, 400*time.Millisecond)
		if err := w.remotes[0].rsyncd.Start(); err != nil {
			return err
		}
	}
	return nil
}

// remoteConfig changes the module for a while, and the world back.
func remoteConfig(change func(m *testbed.Module, d *testbed.Rsyncd, dir string)) func(*world) error {
	return func(w *world) error {
		r := w.remotes[0]
		m := r.module
		change(&m, r.rsyncd, w.dir)
		w.after(0, 400*time.Millisecond)
		if err := r.rsyncd.SetModules(m); err != nil {
			return err
		}
		w.fault("module is %+v", m)
		w.after(500*time.Millisecond, 2500*time.Millisecond)
		if err := r.rsyncd.SetModules(r.module); err != nil {
			return err
		}
		_, _, err := w.daemon.Run("retry")
		return err
	}
}

func remoteGone(w *world) error {
	r := w.remotes[0]
	w.after(0, 400*time.Millisecond)
	if err := os.Rename(r.path, r.path+".away"); err != nil {
		return err
	}
	w.fault("module's directory is away")
	w.after(500*time.Millisecond, 2*time.Second)
	if err := os.Rename(r.path+".away", r.path); err != nil {
		return err
	}
	_, _, err := w.daemon.Run("retry")
	return err
}

func oldRemote(w *world) error {
	bin, err := testbed.FindOldRsync()
	if err != nil {
		return err
	}
	d := w.remotes[0].rsyncd
	d.Stop()
	d.Binary = bin
	return d.Start()
}

func oldClient(w *world) error {
	bin, err := testbed.FindOldRsync()
	if err != nil {
		return err
	}
	w.settings = strings.Replace(w.settings, "args: [-X]", "args: [-X], path: "+bin, 1)
	return nil
}

// wrapped puts a wrapper in the place of rsync that does what a file says.
func wrapped(w *world) error {
	path := filepath.Join(w.dir, "rsync-wrapper")
	script := fmt.Sprintf(`#!/bin/sh
mood=$(cat %[1]s/mood 2>/dev/null)
case "$mood" in
lie) cat >/dev/null; exit 0 ;;
before*) cat >/dev/null; exit ${mood#before} ;;
after*) rsync "$@"; exit ${mood#after} ;;
esac
exec rsync "$@"
`, w.dir)
	w.settings = `guard: {max_delete: 0}, retry: {initial: 100ms, max: 1s}, rsync: {timeout: 5s, connect_timeout: 3s, args: [-X], path: ` + path + `}`
	return os.WriteFile(path, []byte(script), 0o755)
}

func (w *world) mood(mood string) error {
	w.fault("rsync: %q", mood)
	return os.WriteFile(filepath.Join(w.dir, "mood"), []byte(mood), 0o644)
}

// codes are what rsync and what is in front of it can end with.
var codes = []int{1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24, 25, 30, 35, 42, 124, 126, 127, 255}

func rsyncFails(w *world) error {
	for range 3 {
		w.after(0, 300*time.Millisecond)
		when, code := []string{"before", "after"}[w.rnd.IntN(2)], codes[w.rnd.IntN(len(codes))]
		if when == "before" && code == 24 {
			continue // says that all but what has vanished was sent: a lie, which is another row
		}
		if err := w.mood(fmt.Sprint(when, code)); err != nil {
			return err
		}
		w.after(100*time.Millisecond, 700*time.Millisecond)
	}
	if err := w.mood(""); err != nil {
		return err
	}
	// Code 25 holds the remote: a limit of deletions was reached.
	if _, _, err := w.daemon.Run("approve", sourceName+"/*"); err != nil {
		return err
	}
	_, _, err := w.daemon.Run("retry")
	return err
}

func rsyncLies(w *world) error {
	w.after(0, 300*time.Millisecond)
	if err := w.mood("lie"); err != nil {
		return err
	}
	w.after(200*time.Millisecond, time.Second)
	return w.mood("")
}

// behindProxy puts a proxy between daemon and remote.
func behindProxy(w *world) error {
	r := w.remotes[0]
	p, err := lab.NewProxy(fmt.Sprintf("127.0.0.1:%d", r.rsyncd.Port))
	if err != nil {
		return err
	}
	w.later(func() { p.Close() })
	w.proxy = p
	r.target = fmt.Sprintf("rsync://%s/m", p.Addr)
	return nil
}

func remoteCut(w *world) error {
	for range 5 {
		w.proxy.CutAfter(int64(1 + w.rnd.IntN(200_000)))
		w.fault("connections are cut")
		w.after(100*time.Millisecond, 500*time.Millisecond)
	}
	w.proxy.CutAfter(-1)
	return nil
}

// behindLink puts the remote into a network namespace.
func behindLink(w *world) error {
	l, err := lab.NewLink()
	if err != nil {
		return err
	}
	w.later(func() { l.Close() })
	w.link = l
	r := w.remotes[0]
	r.rsyncd.Stop()
	r.rsyncd.Host = testbed.Host{Addr: l.Peer, Command: l.Command}
	if err := r.rsyncd.Start(); err != nil {
		return err
	}
	r.target = r.rsyncd.Target("m")
	return nil
}

func remoteSlow(w *world) error {
	if err := w.link.Rate(1000); err != nil {
		return err
	}
	w.fault("1 mbit/s")
	w.after(time.Second, 3*time.Second)
	return w.link.Rate(0)
}

func remoteBlackhole(w *world) error {
	w.after(0, 300*time.Millisecond)
	if err := w.link.Blackhole(true); err != nil {
		return err
	}
	w.fault("blackhole")
	w.after(500*time.Millisecond, 6*time.Second)
	return w.link.Blackhole(false)
}

func remoteLinkDown(w *world) error {
	for range 2 {
		w.after(0, 400*time.Millisecond)
		if err := w.link.Down(); err != nil {
			return err
		}
		w.fault("link down")
		w.after(100*time.Millisecond, 3*time.Second)
		if err := w.link.Up(); err != nil {
			return err
		}
	}
	return nil
}
