package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// manager is the service manager's end of sd_notify.
type manager struct {
	t    *testing.T
	addr string
	conn *net.UnixConn

	mu   sync.Mutex
	told []message // guarded by mu
}

type message struct {
	at   time.Time
	text string
}

// newManager listens on a path, or on an abstract address.
func newManager(t *testing.T, abstract bool) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "grm") // short: paths of sockets are limited
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &manager{t: t, addr: filepath.Join(dir, "notify")}
	if abstract {
		m.addr = "@" + m.addr
	}
	m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.addr, Net: "unixgram"})
	must(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 64<<10)
		for {
			n, err := m.conn.Read(buf)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.told = append(m.told, message{time.Now(), string(buf[:n])})
			m.mu.Unlock()
		}
	}()
	t.Cleanup(func() { m.conn.Close(); <-ended })
	return m
}

// env is what the manager sets, with a watchdog of this period; 0 for none.
func (m *manager) env(period time.Duration) []string {
	e := []string{"NOTIFY_SOCKET=" + m.addr}
	if period > 0 {
		e = append(e, "WATCHDOG_USEC="+strconv.FormatInt(period.Microseconds(), 10))
	}
	return e
}

func (m *manager) all() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]message(nil), m.told...)
}

// index finds the first message from the given one on that has the part, -1 if
// there is none.
func (m *manager) index(part string, from int) int {
	for i, msg := range m.all() {
		if i >= from && strings.Contains(msg.text, part) {
			return i
		}
	}
	return -1
}

func (m *manager) wait(part string, from int) int {
	m.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if i := m.index(part, from); i >= 0 {
			return i
		}
	}
	m.t.Fatalf("nothing with %q was told after message %d:\n%s", part, from, m)
	return -1
}

// longest is the longest time without a kick since a moment.
func (m *manager) longest(since time.Time) time.Duration {
	last, most := since, time.Duration(0)
	for _, msg := range m.all() {
		if msg.text == "WATCHDOG=1" && msg.at.After(since) {
			most, last = max(most, msg.at.Sub(last)), msg.at
		}
	}
	return max(most, time.Since(last))
}

func (m *manager) String() string {
	var b strings.Builder
	for i, msg := range m.all() {
		fmt.Fprintf(&b, "%d %s %q\n", i, msg.at.Format("05.000"), msg.text)
	}
	return b.String()
}

// TestServiceIsTold: ready when the socket answers and before the tree is scanned,
// how it is in one line, a reload, the end; and nothing of it by children.
func TestServiceIsTold(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "")
	m := newManager(t, false)
	r.env = m.env(0)
	r.spawn()
	ready := m.wait("READY=1", 0)
	if _, ok := r.tryStatus(); !ok {
		t.Error("it was ready and did not answer")
	}
	if opening := m.index("STATUS=opening the journal", 0); opening < 0 || opening > ready {
		t.Errorf("opening the journal was not told before:\n%s", m)
	}
	// What it said of itself then: no source had been begun with.
	if got := m.all()[ready].text; got != "READY=1\nSTATUS=starting" {
		t.Errorf("ready with %q", got)
	}
	r.flush(30 * time.Second)
	m.wait("STATUS=1 remote in sync", ready)

	for _, pid := range childrenOf(t, r.proc.Pid()) {
		e, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && bytes.Contains(e, []byte("NOTIFY_SOCKET")) {
			t.Errorf("process %d, which it has started, has NOTIFY_SOCKET", pid)
		}
	}

	before := len(m.all())
	r.mustCLI("reload")
	reloading := m.wait("RELOADING=1\nMONOTONIC_USEC=", before)
	m.wait("READY=1", reloading)
	before = len(m.all())
	r.setConfig("sources: 5")
	if _, _, code := r.cli("reload"); code == 0 {
		t.Error("a bad configuration was taken")
	}
	m.wait("READY=1", m.wait("RELOADING=1", before)) // the old one goes on
	r.mustCLI("pause", "src/r")
	m.wait("STATUS=1 of 1 not in sync: src/r is paused", 0)
	before = len(m.all())
	r.stop()
	m.wait("STOPPING=1", before)
	if i := m.index("READY=1", before); i >= 0 {
		t.Errorf("ready while it stopped:\n%s", m)
	}
}

// childrenOf lists the processes that one has started.
func childrenOf(t *testing.T, pid int) (list []int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	must(t, err)
	for _, f := range files {
		b, _ := os.ReadFile(f) // the thread may have ended
		for _, word := range strings.Fields(string(b)) {
			child, err := strconv.Atoi(word)
			must(t, err)
			list = append(list, child)
		}
	}
	return list
}

// TestWatchdogIsKicked: in time, also under a storm of changes, and while a run
// hangs because its rsync was stopped.
func TestWatchdogIsKicked(t *testing.T) {
	t.Parallel()
	const period = 2 * time.Second
	src, dst := trees(t)
	_, r := serve(t, src, dst, "defaults: {guard: {max_delete: 0}}")
	m := newManager(t, true)
	r.env = m.env(period)
	r.start()
	r.waitSync(30 * time.Second)
	begin := time.Now()
	churn := testbed.NewChurn(src, seed(t))
	for time.Since(begin) < 2*period {
		churn.Steps(20)
	}
	if most := m.longest(begin); most > period {
		t.Errorf("%s without a kick under load\n%s", most, m)
	}

	r.flush(60 * time.Second)
	must(t, os.WriteFile(filepath.Join(src, "big"), make([]byte, 128<<20), 0o644))
	r.waitFor("an rsync to stop", 30*time.Second, func() bool {
		for _, pid := range childrenOf(t, r.proc.Pid()) {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if string(name) == "rsync\n" && syscall.Kill(pid, syscall.SIGSTOP) == nil {
				t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) // it may be gone
			}
		}
		return r.status().Remotes[0].State != "in_sync"
	})
	stopped := time.Now()
	time.Sleep(3 * period)
	if most := m.longest(stopped); most > period {
		t.Errorf("%s without a kick while rsync hangs\n%s", most, m)
	}
	for _, pid := range childrenOf(t, r.proc.Pid()) {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	r.flush(60 * time.Second)
	testbed.WaitEqual(t, src, dst, 30*time.Second)
}

// TestKilledByWatchdog: SIGABRT ends it with the places of its goroutines, and as
// often as it happens the journal stays.
func TestKilledByWatchdog(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "")
	for i := range 5 {
		write(t, filepath.Join(src, "f"), strconv.Itoa(i))
		r.start()
		r.flush(30 * time.Second)
		must(t, r.proc.Signal(syscall.SIGABRT))
		select {
		case <-r.proc.Done():
		case <-time.After(30 * time.Second):
			t.Fatal("it outlives SIGABRT")
		}
		r.proc = nil
	}
	r.start()
	r.waitSync(30 * time.Second)
	log, err := os.ReadFile(r.log)
	must(t, err)
	for part, want := range map[string]bool{"SIGABRT: abort": true, "watch.(*Tree).loop": true, "ended by a signal": true, "died of its journal": false, "journal lost": false} {
		if strings.Contains(string(log), part) != want {
			t.Errorf("%q in the log: %v", part, !want)
		}
	}
	aside, err := filepath.Glob(filepath.Join(r.stateDir(), "journal.*-*"))
	must(t, err)
	if len(aside) > 0 {
		t.Errorf("set aside: %q", aside)
	}
	testbed.WaitEqual(t, src, dst, 30*time.Second)
}

// TestStopWhileOpening: a journal that waits for space is told before it is ready,
// and SIGTERM ends the wait.
func TestStopWhileOpening(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "")
	mkdir(t, r.stateDir())
	run(t, "mount", "-t", "tmpfs", "-o", "size=256m,mode=700", "tmpfs", r.stateDir())
	t.Cleanup(func() { run(t, "umount", "-l", r.stateDir()) })
	t.Cleanup(r.cleanup) // before its disk goes
	run(t, "fallocate", "-l", "250m", filepath.Join(r.stateDir(), "filler"))
	m := newManager(t, false)
	r.env = m.env(0)
	r.spawn()
	m.wait("STATUS=the journal waits for space", 0)
	if i := m.index("READY=1", 0); i >= 0 {
		t.Errorf("ready without a journal:\n%s", m)
	}
	begin := time.Now()
	r.stop()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	must(t, os.Remove(filepath.Join(r.stateDir(), "filler")))
	r.start()
	r.flush(30 * time.Second)
	testbed.WaitEqual(t, src, dst, 30*time.Second)
}
