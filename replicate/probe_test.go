package replicate

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// mountAt mounts something for the test.
func mountAt(t *testing.T, dir string, args ...string) {
	t.Helper()
	command(t, "mount", append(args, dir)...)
	t.Cleanup(func() {
		// A server's process for a connection may outlive it for a moment.
		for range 50 {
			if exec.Command("umount", dir).Run() == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		command(t, "umount", dir)
	})
}

// coarseFS mounts a file system that keeps whole seconds.
func coarseFS(t *testing.T, dir string) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	command(t, "truncate", "-s", "8M", image)
	command(t, "mkfs.ext4", "-q", "-I", "128", "-O", "^has_journal", image)
	mountAt(t, dir, "-o", "loop", image)
}

// probeIt probes a target once.
func probeIt(t *testing.T, target string, change ...func(*Options)) probed {
	t.Helper()
	o := Options{Scratch: filepath.Join(t.TempDir(), "scratch")}
	var err error
	if o.Target, err = ParseTarget(target); err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&o)
	}
	o.setDefaults()
	var answered *probed
	p := newRsyncTransport(&o).Probe(context.Background(), "", func(early probed) { answered = &early })
	if _, err := os.Stat(o.Scratch); !os.IsNotExist(err) {
		t.Errorf("the files of the probe are still here: %v", err)
	}
	switch {
	case p.done && (answered == nil || !answered.sent || answered.clean || answered.ids() != p.ids()):
		t.Errorf("the answer is %+v, and in the end %+v", answered, p)
	case answered != nil && !answered.done:
		t.Errorf("an answer without a judgement: %+v", answered)
	}
	return p
}

func withArgs(args ...string) func(*Options) { return func(o *Options) { o.Rsync.Args = args } }

// ids are the findings but for the version of rsync, which depends on where
// the test runs.
func (p probed) ids() string {
	var out []string
	for _, f := range p.found {
		if f.ID != idOld {
			out = append(out, f.ID)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func isEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "lost+found" {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}

// TestProbeOfDaemons: each way in which a real daemon, or the file system below
// it, keeps something else than it was sent.
func TestProbeOfDaemons(t *testing.T) {
	for _, c := range []struct {
		name  string
		extra []string
		args  []string
		mount func(*testing.T, string)
		found string
	}{
		{name: "as it should be", args: []string{"-AX"}},
		{name: "munged by default", extra: []string{"use chroot = no"}, found: "W-SYMLINKS"},
		{name: "munged by wish", extra: []string{"munge symlinks = yes"}, found: "W-SYMLINKS"},
		{name: "rewritten", extra: []string{"use chroot = no", "munge symlinks = no"}, found: "W-SYMLINKS"},
		{name: "links are not asked for", extra: []string{"use chroot = no"}, args: []string{"--safe-links"}},
		{name: "nobody", extra: []string{"uid = nobody", "gid = nogroup"}, args: []string{"-X", "-A"}, found: "W-OWNERS"},
		{name: "nobody, but noted", extra: []string{"uid = nobody", "gid = nogroup", "fake super = yes"}},
		{name: "owners are not asked for", extra: []string{"uid = nobody", "gid = nogroup"}, args: []string{"--no-o", "--no-g"}},
		{name: "modes", extra: []string{"incoming chmod = F600"}, found: "W-MODES"},
		{name: "neither xattrs nor ACLs", args: []string{"-A", "-HX"}, mount: func(t *testing.T, dir string) { mountAt(t, dir, "-t", "ramfs", "ramfs") },
			found: "W-ACLS W-XATTRS"},
		{name: "xattrs are not asked for", mount: func(t *testing.T, dir string) { mountAt(t, dir, "-t", "ramfs", "ramfs") }},
		{name: "whole seconds", mount: coarseFS, found: "W-TIMES"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "dst")
			if err := os.Mkdir(dst, 0o777); err != nil {
				t.Fatal(err)
			}
			if c.mount != nil {
				c.mount(t, dst)
			}
			if err := os.Chmod(dst, 0o777); err != nil {
				t.Fatal(err)
			}
			d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst, Extra: c.extra})
			t.Cleanup(d.Stop) // before the umount
			p := probeIt(t, d.Target("m"), withArgs(c.args...))
			if p.ids() != c.found || !p.done || !p.clean || !p.sent || p.swept {
				t.Errorf("found %q, want %q: %+v", p.ids(), c.found, p)
			}
			asked := aspectsOf(c.args, true)
			if asked.version = p.looked.version; p.looked != asked {
				t.Errorf("looked at %v, asked for %v", p.looked, asked)
			}
			isEmpty(t, dst)
		})
	}
}

func TestProbeOfLocalTarget(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "dst")
	if err := os.Mkdir(dst, 0o755); err != nil {
		t.Fatal(err)
	}
	if p := probeIt(t, dst, withArgs("-A", "-X")); p.ids() != "" || !p.done || p.place == "" {
		t.Errorf("found %+v", p)
	}
	isEmpty(t, dst)
	mountAt(t, dst, "-t", "ramfs", "ramfs")
	if p := probeIt(t, dst, withArgs("-A", "-X")); p.ids() != "W-ACLS W-XATTRS" || !p.done {
		t.Errorf("found %+v", p)
	}
	isEmpty(t, dst)
	if p := probeIt(t, filepath.Join(dst, "missing")); p.done || p.sent || p.why.ID != "E-MODPATH" {
		t.Errorf("a target that is not there: %+v", p)
	}
}

func TestProbeOverSSH(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "d s't")
	if err := os.Mkdir(dst, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dst, 0o777); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(dst); dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := testbed.RunSSHD(t)
	ssh := func(o *Options) {
		o.Rsync.SSH = SSHOptions{Port: s.Port, IdentityFile: s.IdentityFile, KnownHosts: s.KnownHosts}
	}
	if p := probeIt(t, s.Target(dst), ssh, withArgs("-X")); p.ids() != "" || !p.done {
		t.Errorf("as root: found %+v", p)
	}
	other := withArgs("--rsync-path=setpriv --reuid=65534 --regid=65534 --clear-groups rsync")
	if p := probeIt(t, s.Target(dst), ssh, other); p.ids() != "W-OWNERS" || !p.done {
		t.Errorf("as nobody: found %+v", p)
	}
	noted := withArgs("-M--fake-super", "--rsync-path=setpriv --reuid=65534 --regid=65534 --clear-groups rsync")
	if p := probeIt(t, s.Target(dst), ssh, noted); p.ids() != "" || !p.done {
		t.Errorf("as nobody who notes owners: found %+v", p)
	}
	isEmpty(t, dst)
}

// TestProbeInVain: a remote that lets nobody read or remove is not probed, and
// nothing stays there.
func TestProbeInVain(t *testing.T) {
	for _, c := range []struct {
		extra, id string
		sent      bool
	}{
		{"refuse options = delete", "E-REFUSED", false},
		{"read only = true", "E-READONLY", false},
		{"write only = true", "E-READONLY", true},
		{"exclude = .*", "E-PARTIAL", false},
		{"exclude = file", "E-PROBE", true},
		{"hosts deny = *", "E-DENIED", false},
	} {
		t.Run(c.extra, func(t *testing.T) {
			dst := t.TempDir()
			d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst, Extra: []string{c.extra}})
			p := probeIt(t, d.Target("m"))
			if p.done || p.ids() != "" || p.sent != c.sent || p.why.ID != c.id {
				t.Errorf("want %s: %+v", c.id, p)
			}
			isEmpty(t, dst)
			d.Stop()
			if p := probeIt(t, d.Target("m")); p.done || p.sent || p.why.ID != "E-CONNECT" {
				t.Errorf("a server that is down: %+v", p)
			}
		})
	}
}

// TestProbeSweeps: what a probe that was cut has left goes first.
func TestProbeSweeps(t *testing.T) {
	dst := t.TempDir()
	write(t, dst, map[string]string{probeName + "/near/x": "1", probeName + "/deep/er/y": "2"})
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	if p := probeIt(t, d.Target("m")); !p.done || !p.swept || !p.clean || p.ids() != "" {
		t.Errorf("%+v", p)
	}
	isEmpty(t, dst)
}

// TestProbeKilled: the end of the context ends a probe soon, and what it left
// is known to be there.
func TestProbeKilled(t *testing.T) {
	dst, dir := t.TempDir(), t.TempDir()
	slow := filepath.Join(dir, "rsync")
	script := "#!/bin/sh\nfor a; do [ \"$a\" = -ii ] && exec sleep 60; done\nexec rsync \"$@\"\n"
	if err := os.WriteFile(slow, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	o := Options{Scratch: filepath.Join(dir, "scratch"), Target: Target{Kind: Local, Path: dst}, Rsync: RsyncOptions{Path: slow}}
	o.setDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for {
			if _, err := os.Lstat(filepath.Join(dst, probeName, probeFile)); err == nil {
				cancel()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	begin := time.Now()
	p := newRsyncTransport(&o).Probe(ctx, "", func(probed) { t.Error("an answer before the end of the comparison") })
	if took := time.Since(begin); took > 20*time.Second || p.done || !p.sent || p.clean || p.why.Class != ClassCanceled {
		t.Errorf("after %s: %+v", took, p)
	}
}
