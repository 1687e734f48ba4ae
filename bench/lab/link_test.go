package lab

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// pull fetches everything from a daemon and says whether that went well in
// time; timeout in seconds.
func pull(t *testing.T, target, timeout string) (time.Duration, error) {
	t.Helper()
	start := time.Now()
	out, err := exec.Command("rsync", "-a", "--contimeout="+timeout, "--timeout="+timeout, target+"/", t.TempDir()+"/").CombinedOutput()
	t.Logf("rsync: %v %s", err, strings.TrimSpace(string(out)))
	return time.Since(start), err
}

func newLink(t *testing.T) *Link {
	t.Helper()
	l, err := NewLink()
	must(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestLinkToADaemon(t *testing.T) {
	t.Parallel()
	l := newLink(t)
	other := newLink(t)
	if l.Peer == other.Peer {
		t.Fatalf("two links with the address %s", l.Peer)
	}
	tree := t.TempDir()
	write(t, tree+"/f", strings.Repeat("z", 600_000), false)
	d, err := testbed.NewRsyncdAt(testbed.Host{Addr: l.Peer, Command: l.Command}, t.TempDir(), testbed.Module{Name: "m", Path: tree})
	must(t, err)
	defer d.Stop()
	if exe, _ := os.Readlink("/proc/" + itoa(d.Pid()) + "/exe"); filepath.Base(exe) != "rsync" {
		t.Errorf("the daemon's pid is of %s", exe)
	}
	target := d.Target("m")
	fast, err := pull(t, target, "5")
	must(t, err)

	must(t, l.Rate(4000)) // 600 kB take 1.2 s, less the burst
	slow, err := pull(t, target, "5")
	must(t, err)
	if slow < fast+700*time.Millisecond {
		t.Errorf("%s at 4 Mbit/s, %s before", slow, fast)
	}
	must(t, l.Rate(0))

	faults := map[string][2]func() error{
		"blackhole": {func() error { return l.Blackhole(true) }, func() error { return l.Blackhole(false) }},
		"down":      {l.Down, l.Up},
	}
	for name, f := range faults {
		must(t, f[0]())
		took, err := pull(t, target, "1")
		if err == nil {
			t.Fatalf("%s: the daemon was reached", name)
		}
		if took < 900*time.Millisecond {
			t.Errorf("%s: failed after %s, not by silence", name, took)
		}
		must(t, f[1]())
		_, err = pull(t, target, "5")
		must(t, err)
	}
	d.Stop()
	must(t, l.Close())
	must(t, l.Close())
	if _, err := net.InterfaceByName(l.near); err == nil {
		t.Error("the interface is left")
	}
}

// TestStrangersLinkIsCleaned leaves a namespace of a dead maker.
func TestStrangersLinkIsCleaned(t *testing.T) {
	dead := exec.Command("true")
	must(t, dead.Run())
	name := linkPrefix + itoa(dead.Process.Pid) + "-1"
	must(t, each("netns add "+name))
	mine := newLink(t)
	must(t, CleanStale(t.TempDir()))
	if _, err := os.Stat("/run/netns/" + name); !errors.Is(err, os.ErrNotExist) {
		t.Error("the namespace of a dead maker is left")
	}
	if _, err := os.Stat("/run/netns/" + mine.namespace); err != nil {
		t.Error("the namespace of a living maker is gone")
	}
}
