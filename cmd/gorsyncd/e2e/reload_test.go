package e2e

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/lab"
	"gorsyncd/bench/testbed"
)

// churning changes a tree until the returned function is called.
func churning(t *testing.T, root string) (stop func()) {
	t.Helper()
	churn := testbed.NewChurn(root, seed(t))
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
				churn.Step()
			}
		}
	})
	stop = sync.OnceFunc(func() {
		close(end)
		wg.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// sending is the pid of the rsync that reads a file of that name, which nothing
// else has, 0 for none. Its root may be elsewhere than ours.
func sending(name string) int {
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err != nil || filepath.Base(to) != name {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		if comm, err := os.ReadFile(dir + "/comm"); err == nil && string(comm) == "rsync\n" {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			return pid
		}
	}
	return 0
}

func noise(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_, err := rand.Read(b)
	must(t, err)
	return b
}

// remoteLine is a remote of a configuration, with further settings.
func remoteLine(name, target, more string) string {
	return fmt.Sprintf("      - {name: %s, target: %q%s}\n", name, target, more)
}

// source is a configuration of one source called src.
func source(path string, remotes ...string) string {
	return fmt.Sprintf("journal: {retain: 0s}\ndefaults: {guard: {max_delete: 0}, retry: {initial: 100ms, max: 500ms}}\nsources:\n  - path: %q\n    name: src\n    remotes:\n%s", path, strings.Join(remotes, ""))
}

// fullSyncs counts those of a remote that came to their end.
func (r *rig) fullSyncs(remote string) int {
	b, err := os.ReadFile(r.log)
	must(r.t, err)
	return strings.Count(string(b), `msg="full sync done" source=src remote=`+remote+" ")
}

// TestReloadUnderLoad: while one remote is in the middle of a transfer, others are
// added, removed and moved; the one that was removed comes back and goes on from
// its cursor, and is forgotten in the end.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	src := mkdir(t, base, "src")
	dst := map[string]string{}
	var modules []testbed.Module
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		dst[name] = mkdir(t, base, name)
		modules = append(modules, testbed.Module{Name: name, Path: dst[name]})
	}
	server := testbed.RunRsyncd(t, modules...)
	slow, err := lab.NewProxy(fmt.Sprintf("127.0.0.1:%d", server.Port))
	must(t, err)
	t.Cleanup(func() { slow.Close() })
	a := remoteLine("a", fmt.Sprintf("rsync://127.0.0.1:%d/a", slow.Port), "")
	remote := func(name string) string { return remoteLine(name, server.Target(name), "") }

	fill(t, src, 200)
	r := newRig(t, source(src, a, remote("c"), remote("d")))
	r.start()
	r.flush(30 * time.Second)
	slow.Rate(200 << 10)
	big := fmt.Sprint("big-", time.Now().UnixNano())
	must(t, os.WriteFile(filepath.Join(src, big), noise(t, 16<<20), 0o644))
	pid := 0
	r.flush(30*time.Second, "--remote", "src/c", "--remote", "src/d")
	r.waitFor("the transfer to begin", 10*time.Second, func() bool { pid = sending(big); return pid != 0 })
	stop := churning(t, mkdir(t, src, "churn"))

	r.setConfig(source(src, a, remote("b"), remoteLine("d", server.Target("e"), "")))
	dry := r.mustCLI("reload", "--dry-run")
	if n := len(r.status().Remotes); n != 3 {
		t.Errorf("%d remotes after a dry run", n)
	}
	out := r.mustCLI("reload")
	if out != dry {
		t.Errorf("a dry run says\n%sand the reload\n%s", dry, out)
	}
	contains(t, out, "src/a: unchanged\n", "src/b: added; full sync starts\n", "src/d: target changed; full sync starts\n",
		"src/c: removed; its place in the journal is kept, gorsyncd reload --forget src/c gives it up\n")
	if now := sending(big); now != pid {
		t.Errorf("the rsync of a remote that has not changed was %d and is %d", pid, now)
	}
	r.waitFor("the full syncs of what is new", 60*time.Second, func() bool {
		doc := r.status()
		return doc.remote(t, "src/b").LastFull != "" && doc.remote(t, "src/d").FullSync == nil
	})
	if now := sending(big); now != pid {
		t.Errorf("the rsync of a remote that has not changed was %d and is %d, later", pid, now)
	}
	slow.Rate(0)
	stop()
	r.flush(60 * time.Second)
	for _, name := range []string{"a", "b", "e"} {
		testbed.WaitEqual(t, src, dst[name], time.Second)
	}

	// What was removed is kept, and comes back without a full sync.
	r.waitFor("the entries that are kept", 10*time.Second, func() bool {
		kept, ok := r.status().kept("src/c")
		return ok && kept.LagEntries > 0 && !kept.FullSync
	})
	text, _, _ := r.cli("status")
	contains(t, text, "src/c is no longer configured; the journal keeps ", ": gorsyncd reload --forget src/c")
	must(t, os.RemoveAll(filepath.Join(src, "d3"))) // only its entries can tell
	before := r.fullSyncs("c")
	r.setConfig(source(src, a, remote("b"), remote("c"), remoteLine("d", server.Target("e"), "")))
	contains(t, r.mustCLI("reload"), "src/c: configured again; goes on from its cursor", "src/d: unchanged")
	r.flush(60 * time.Second)
	testbed.WaitEqual(t, src, dst["c"], time.Second)
	if n := r.fullSyncs("c"); n != before || before != 1 {
		t.Errorf("%d full syncs of a remote that came back, and %d before", n, before)
	}

	// Forgotten, nothing is kept for it.
	r.setConfig(source(src, a, remote("b"), remoteLine("d", server.Target("e"), "")))
	r.mustCLI("reload")
	for i := range 50 {
		write(t, filepath.Join(src, "more", strconv.Itoa(i)), "x")
	}
	r.flush(60 * time.Second)
	r.waitFor("the entries that are kept", 10*time.Second, func() bool {
		doc := r.status()
		kept, _ := doc.kept("src/c")
		return kept.LagEntries >= 50 && doc.Journal.Entries >= 50
	})
	_, errOut, code := r.cli("reload", "--forget", "src/b")
	if code != 64 {
		t.Errorf("forget of a remote that is configured: exit %d", code)
	}
	contains(t, errOut, "src/b is configured")
	contains(t, r.mustCLI("reload", "--forget", "src/c"), "src/c: forgotten")
	r.waitFor("the journal to release its entries", 40*time.Second, func() bool { return r.status().Journal.Entries == 0 })
	if kept := r.status().Kept; len(kept) > 0 {
		t.Errorf("still kept: %+v", kept)
	}
}

// TestReloadKilled: whenever the daemon dies in a reload, the next start makes of
// it what the file says, and nothing is lost.
func TestReloadKilled(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	src := mkdir(t, base, "src")
	fill(t, src, 50)
	var dst, remotes []string
	for _, name := range []string{"a", "b", "c"} {
		dst = append(dst, mkdir(t, base, name))
		remotes = append(remotes, remoteLine(name, dst[len(dst)-1], ""))
	}
	r := newRig(t, source(src, remotes...))
	r.start()
	r.flush(30 * time.Second)
	stop := churning(t, mkdir(t, src, "churn"))
	for i := range 6 {
		some := []string{remotes[0], remotes[1+i%2], remoteLine("x", mkdir(t, base, fmt.Sprint("x", i)), "")}
		if i%3 == 2 {
			some = remotes
		}
		r.setConfig(source(src, some...))
		cmd := startCommand(t, "--config", r.config, "--socket", r.socket, "reload")
		time.Sleep(time.Duration(5+i*12) * time.Millisecond)
		r.kill9()
		_ = cmd.Wait() // the daemon broke off
		r.start()
	}
	r.setConfig(source(src, remotes...))
	r.mustCLI("reload", "--forget", "src/x")
	stop()
	r.flush(60 * time.Second)
	for _, d := range dst {
		testbed.WaitEqual(t, src, d, time.Second)
	}
	if kept := r.status().Kept; len(kept) > 0 {
		t.Errorf("kept: %+v", kept)
	}
}

// TestManyReloads: twenty in a row, by command and by signal, while the tree
// changes. A remote that never changes never stops.
func TestManyReloads(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	src := mkdir(t, base, "src")
	fill(t, src, 50)
	dst := map[string]string{}
	for _, name := range []string{"always", "a", "b", "c"} {
		dst[name] = mkdir(t, base, name)
	}
	server := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst["always"]})
	always := remoteLine("always", server.Target("m"), "")
	r := newRig(t, source(src, always))
	r.start()
	r.flush(30 * time.Second)
	stop := churning(t, mkdir(t, src, "churn"))
	sent := uint64(0)
	for i := range 20 {
		some := []string{always}
		for bit, name := range []string{"a", "b", "c"} {
			if i>>bit&1 == 1 || i == 19 {
				some = append(some, remoteLine(name, dst[name], []string{"", ", workers: 2", ", full_sync: {schedule: '@every 24h'}"}[i%3]))
			}
		}
		r.setConfig(source(src, some...))
		if i%4 == 3 {
			last := r.status().Daemon.LastReload
			must(t, r.proc.Signal(syscall.SIGHUP))
			r.waitFor("the reload after SIGHUP", 20*time.Second, func() bool { return r.status().Daemon.LastReload != last })
		} else {
			contains(t, r.mustCLI("reload"), "src/always: unchanged\n")
		}
		doc := r.status()
		if n := len(doc.Remotes); n != len(some) {
			t.Errorf("round %d: %d remotes, want %d", i, n, len(some))
		}
		now := doc.remote(t, "src/always").Transfers
		if now < sent {
			t.Errorf("round %d: a remote that has not changed began anew", i)
		}
		sent = now
	}
	stop()
	r.flush(60 * time.Second)
	for _, d := range dst {
		testbed.WaitEqual(t, src, d, time.Second)
	}
	for _, name := range []string{"a", "b", "c"} {
		if n := r.fullSyncs(name); n != 1 {
			t.Errorf("%s: %d full syncs, want that of its first start", name, n)
		}
	}
}

// TestStopDuringReload: a daemon that is told to stop while a reload waits for a
// transfer to end stops, says so to whoever reloads, and the next start applies the
// file. What was cut goes on where it was.
func TestStopDuringReload(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	other := mkdir(t, filepath.Dir(dst), "other")
	fast := remoteLine("fast", other, "")
	r := newRig(t, source(src, fast, remoteLine("slow", dst, ", bwlimit: 100K")))
	r.start()
	r.flush(30 * time.Second)
	big := fmt.Sprint("big-", time.Now().UnixNano())
	must(t, os.WriteFile(filepath.Join(src, big), noise(t, 8<<20), 0o644))
	r.flush(30*time.Second, "--remote", "src/fast")
	r.waitFor("the transfer to begin", 10*time.Second, func() bool { return sending(big) != 0 })
	r.setConfig(source(src, fast))
	reload := startCommand(t, "--config", r.config, "--socket", r.socket, "reload")
	time.Sleep(300 * time.Millisecond)
	if n := len(r.status().Remotes); n != 2 { // the status is to be had meanwhile
		t.Errorf("%d remotes while a transfer may end", n)
	}
	begin := time.Now()
	r.stop()
	if took := time.Since(begin); took > 25*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	var exit *exec.ExitError
	if err := reload.Wait(); !errors.As(err, &exit) || exit.ExitCode() == 78 {
		t.Errorf("the reload ended with %v", err)
	}
	r.start()
	if _, ok := r.status().kept("src/slow"); !ok {
		t.Errorf("nothing is kept: %+v", r.status())
	}
	r.setConfig(source(src, fast, remoteLine("slow", dst, "")))
	contains(t, r.mustCLI("reload"), "src/slow: configured again; goes on from its cursor")
	r.flush(30 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
	noLeftovers(t, dst)
	if n := r.fullSyncs("slow"); n != 1 {
		t.Errorf("%d full syncs, want that of the first start", n)
	}
}
