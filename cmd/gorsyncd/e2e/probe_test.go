package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/bench/testbed"
)

const probeName = ".gorsyncd-probe"

// findings are the ids found at a remote, without those of the version of
// rsync, which depends on the machine.
func (d remoteDoc) findings() string {
	var ids []string
	for _, f := range d.Findings {
		if !strings.HasPrefix(f.ID, "W-RSYNC-") {
			ids = append(ids, f.ID)
		}
	}
	return strings.Join(ids, " ")
}

// waitFindings waits until exactly these are found and the remote is in sync.
func (r *rig) waitFindings(ids string) {
	r.t.Helper()
	r.waitFor(fmt.Sprintf("the findings to be %q", ids), 40*time.Second, func() bool {
		doc := r.status().remote(r.t, "src/r")
		return doc.findings() == ids && doc.State == "in_sync"
	})
}

// told counts the warnings of the log with an id.
func (r *rig) told(level, id string) (n int) {
	r.t.Helper()
	b, err := os.ReadFile(r.log)
	must(r.t, err)
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "level="+level) && strings.Contains(line, "error_id="+id) {
			n++
		}
	}
	return n
}

func (r *rig) noProbeLeft(dst string) {
	r.t.Helper()
	if _, err := os.Lstat(filepath.Join(dst, probeName)); !os.IsNotExist(err) {
		r.t.Errorf("a probe is left on the remote: %v", err)
	}
}

// TestFindings: what a remote silently keeps otherwise is shown with its
// remedy, told once, and goes away when the remote is mended, which also
// mends the copy.
func TestFindings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id    string
		extra []string
	}{
		{"W-SYMLINKS", []string{"use chroot = no"}},
		{"W-OWNERS", []string{"uid = nobody", "gid = nogroup"}},
	} {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			src, dst := mkdir(t, base, "src"), mkdir(t, base, "dst")
			must(t, os.Chown(dst, 65534, 65534))
			write(t, filepath.Join(src, "dir/f"), "x")
			must(t, os.Chown(filepath.Join(src, "dir/f"), 1234, 4321))
			must(t, os.Symlink("f", filepath.Join(src, "dir/link")))
			d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst, Extra: c.extra})
			r := newRig(t, oneRemote(src, d.Target("m"), ""))
			r.start()
			r.flush(30 * time.Second)
			r.waitFindings(c.id)
			r.noProbeLeft(dst)
			if diff, err := testbed.DiffTrees(src, dst, testbed.Options{}); err != nil || len(diff) == 0 {
				t.Errorf("the remote spoils nothing (%v): the test is one of nothing", err)
			}
			out, _, code := r.cli("status")
			contains(t, out, c.id, "not kept there: "+c.id)
			if code != 0 {
				t.Errorf("status of a remote with a finding: exit %d", code)
			}
			if f := r.status().remote(t, "src/r").Findings; f[0].Remedy == "" {
				t.Errorf("no remedy: %+v", f)
			}
			r.mustCLI("retry", "src/r")
			r.stop()
			r.start()
			r.waitFindings(c.id)
			if n := r.told("WARN", c.id); n != 1 {
				t.Errorf("told %d times", n)
			}
			out, _, _ = r.cli("status")
			contains(t, out, c.id)

			must(t, d.SetModules(testbed.Module{Name: "m", Path: dst}))
			r.mustCLI("retry", "src/r")
			r.waitFindings("")
			testbed.WaitEqual(t, src, dst, 20*time.Second)
			if n := r.told("INFO", c.id); n != 1 {
				t.Errorf("its end was told %d times", n)
			}
			r.stop()
			if out, _, _ := r.cli("status"); strings.Contains(out, c.id) {
				t.Errorf("still shown without the daemon:\n%s", out)
			}
		})
	}
}

func setXattr(t *testing.T, path, value string) {
	t.Helper()
	must(t, unix.Lsetxattr(path, "user.e2e", []byte(value), 0))
}

// TestTargetWithoutXattrs: with -A and -X, on a file system that has neither,
// everything else arrives, and nothing fails for ever. On one that has them it
// all comes.
func TestTargetWithoutXattrs(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	run(t, "mount", "-t", "ramfs", "ramfs", dst)
	mounted := true
	unmount := func() {
		if mounted {
			mounted = false
			run(t, "umount", dst)
		}
	}
	t.Cleanup(unmount)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	t.Cleanup(d.Stop) // before the umount
	for i := range 30 {
		name := filepath.Join(src, fmt.Sprintf("dir/f%d", i))
		write(t, name, "x")
		setXattr(t, name, "1")
	}
	r := newRig(t, oneRemote(src, d.Target("m"), "defaults: {rsync: {args: [-A, -X]}, retry: {initial: 300ms, max: 1s}}"))
	r.start()
	r.flush(30 * time.Second)
	r.waitFindings("W-ACLS W-XATTRS")
	testbed.WaitEqual(t, src, dst, time.Second)
	write(t, filepath.Join(src, "dir/late"), "x")
	setXattr(t, filepath.Join(src, "dir/late"), "1")
	r.flush(30 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
	if doc := r.status().remote(t, "src/r"); doc.Failing != 0 || r.told("WARN", "E-DEST-UNSUPPORTED") != 0 {
		t.Errorf("paths failed: %+v", doc)
	}
	contains(t, r.mustCLI("status"), "-X is left out for this remote")

	// Nothing is there afterwards: the mended finding has all of it sent again.
	unmount()
	r.mustCLI("retry", "src/r")
	r.waitFindings("")
	testbed.WaitEqual(t, src, dst, 20*time.Second, testbed.Options{Xattrs: true})

	// The other way round the failures themselves call for a probe; a person
	// need not wait for it.
	run(t, "mount", "-t", "ramfs", "ramfs", dst)
	mounted = true
	setXattr(t, filepath.Join(src, "dir/late"), "2")
	r.waitFor("a path to fail", 20*time.Second, func() bool { return r.status().remote(t, "src/r").Failing > 0 })
	r.mustCLI("retry", "src/r")
	r.waitFindings("W-ACLS W-XATTRS")
}

// TestProbeKilled: what a killed daemon leaves of a probe is removed by the
// next.
func TestProbeKilled(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "f"), "x")
	slow := filepath.Join(t.TempDir(), "rsync")
	script := "#!/bin/sh\nfor a; do [ \"$a\" = -ii ] && [ -e %[1]s ] && exec sleep 300; done\nexec rsync \"$@\"\n"
	block := filepath.Join(filepath.Dir(slow), "block")
	write(t, block, "")
	must(t, os.WriteFile(slow, fmt.Appendf(nil, script, block), 0o755))
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	r := newRig(t, oneRemote(src, d.Target("m"), "defaults: {rsync: {path: "+slow+"}}"))
	r.start()
	r.waitFor("a probe on the remote", 20*time.Second, func() bool {
		_, err := os.Lstat(filepath.Join(dst, probeName, "file"))
		return err == nil
	})
	r.kill9()
	must(t, os.Remove(block))
	r.start()
	r.flush(30 * time.Second)
	r.waitSync(10 * time.Second)
	r.noProbeLeft(dst)
	testbed.WaitEqual(t, src, dst, time.Second)
	if out, err := os.ReadDir(filepath.Join(r.stateDir(), "probe/src")); err != nil || len(out) != 0 {
		t.Errorf("left in the state directory: %v %v", out, err)
	}
}

// TestProbeRefused: remotes that cannot be probed are replicated as ever.
func TestProbeRefused(t *testing.T) {
	t.Parallel()
	for _, extra := range []string{"refuse options = delete", "write only = true"} {
		t.Run(extra, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			src, dst := mkdir(t, base, "src"), mkdir(t, base, "dst")
			write(t, filepath.Join(src, "dir/f"), "x")
			d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst, Extra: []string{extra}})
			r := newRig(t, oneRemote(src, d.Target("m"), "defaults: {delete: none}"))
			r.start()
			r.flush(30 * time.Second)
			write(t, filepath.Join(src, "dir/g"), "y")
			r.flush(30 * time.Second)
			r.waitFindings("")
			testbed.WaitEqual(t, src, dst, time.Second)
			if doc := r.status().remote(t, "src/r"); doc.Error != nil {
				t.Errorf("an error from the probe: %+v", doc.Error)
			}
		})
	}
}

// TestProbeNameIsReserved: what has the name in the source stays here, and is
// not looked at even with delete: all.
func TestProbeNameIsReserved(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, probeName, "mine"), "x")
	write(t, filepath.Join(src, "f"), "x")
	_, r := serve(t, src, dst, "defaults: {delete: all}")
	r.start()
	r.flush(30 * time.Second)
	write(t, filepath.Join(src, probeName, "mine"), "y")
	r.mustCLI("retry")
	r.mustCLI("sync", "src/r")
	r.flush(30 * time.Second)
	r.waitSync(20 * time.Second)
	r.noProbeLeft(dst)
	if b, err := os.ReadFile(filepath.Join(src, probeName, "mine")); err != nil || string(b) != "y" {
		t.Errorf("the source was touched: %q %v", b, err)
	}
	var a, b syscall.Stat_t
	must(t, syscall.Lstat(src, &a))
	must(t, syscall.Lstat(dst, &b))
	if a.Mtim != b.Mtim {
		t.Errorf("the root has mtime %v, want %v", b.Mtim, a.Mtim)
	}
}
