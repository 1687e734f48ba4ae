package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestOldRsync: an rsync of Debian 12's archive as the daemon, as our client,
// as both, and behind ssh. Under hostile churn all remotes end equal, also after
// a full sync, and the old version is told of.
func TestOldRsync(t *testing.T) {
	t.Parallel()
	old := testbed.OldRsync(t)
	for _, c := range []struct {
		name                string
		client, server, ssh bool
		delete              string
	}{
		{name: "old daemon", server: true, delete: "tracked"},
		{name: "old client", client: true, delete: "tracked"},
		{name: "both old", client: true, server: true, delete: "tracked"},
		{name: "old behind ssh", server: true, ssh: true, delete: "all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			src, dst := mkdir(t, base, "src"), mkdir(t, base, "dst")
			rsync, target, defaults := "rsync", "", "delete: "+c.delete+", retry: {initial: 200ms, max: 2s}, guard: {max_delete: 100000}"
			if c.client {
				rsync = old
			}
			args := "-A, -X"
			if c.ssh {
				s := testbed.RunSSHD(t)
				target = s.Target(dst)
				args += fmt.Sprintf(", %q", "--rsync-path="+old)
				defaults += fmt.Sprintf(", ssh: {port: %d, identity_file: %s, known_hosts: %s}", s.Port, s.IdentityFile, s.KnownHosts)
			} else {
				d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
				target = d.Target("m")
				if c.server {
					d.Stop()
					d.Binary = old
					must(t, d.Start())
				}
			}
			r := newRig(t, oneRemote(src, target, fmt.Sprintf("defaults: {%s, fsync: true, rsync: {path: %s, args: [%s]}}", defaults, rsync, args)))
			churn := testbed.NewChurn(src, seed(t))
			churn.Steps(200) // there before the first start
			r.start()
			for range 40 {
				churn.Steps(15)
				time.Sleep(25 * time.Millisecond)
			}
			r.flush(90 * time.Second)
			testbed.WaitEqual(t, src, dst, 5*time.Second, testbed.Options{Xattrs: true})
			r.waitFindings("")
			want := map[string]int{"W-RSYNC-OLD": 1, "W-RSYNC-343": 0}
			if c.server {
				want["W-RSYNC-343"] = 1
			}
			found := map[string]int{}
			for _, f := range r.status().remote(t, "src/r").Findings {
				found[f.ID]++
			}
			for id, n := range want {
				if found[id] != n || r.told("WARN", id) != n {
					t.Errorf("%s: found %d times, told %d times, want %d", id, found[id], r.told("WARN", id), n)
				}
			}
			// A full sync of content mends what was spoilt there; strangers go
			// with delete: all, and stay otherwise, whatever is removed beside them.
			write(t, filepath.Join(dst, "stranger/x"), "y")
			write(t, filepath.Join(src, "stranger/mine"), "y")
			r.flush(30 * time.Second)
			must(t, os.Remove(filepath.Join(src, "stranger/mine")))
			r.mustCLI("sync", "--checksum", "src/r")
			r.flush(60 * time.Second)
			r.waitSync(20 * time.Second)
			if _, err := os.Lstat(filepath.Join(dst, "stranger/mine")); err == nil {
				t.Error("a removed file is still there")
			}
			if c.delete == "tracked" {
				must(t, os.Remove(filepath.Join(dst, "stranger/x")))
				stamp(t, filepath.Join(src, "stranger"), filepath.Join(dst, "stranger"))
			}
			testbed.WaitEqual(t, src, dst, 5*time.Second, testbed.Options{Xattrs: true})
		})
	}
}

// TestFsyncUnknown: a receiver that is too old for fsync is named with the
// remedy, and works without.
func TestFsyncUnknown(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "f"), "x")
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	d.Stop()
	d.Binary = testbed.RsyncWithout(t, testbed.OldRsync(t), t.TempDir(), "fsync")
	must(t, d.Start())
	config := func(fsync bool) string {
		return oneRemote(src, d.Target("m"), fmt.Sprintf("defaults: {fsync: %v, retry: {initial: 200ms, max: 1s}}", fsync))
	}
	r := newRig(t, config(true))
	r.start()
	r.waitFor("E-FSYNC", 20*time.Second, func() bool {
		e := r.status().remote(t, "src/r").Error
		return e != nil && e.ID == "E-FSYNC" && e.Hint != ""
	})
	if _, err := os.Lstat(filepath.Join(dst, "f")); err == nil {
		t.Error("a file arrived without being synced")
	}
	r.setConfig(config(false))
	r.mustCLI("reload")
	r.flush(30 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)

	// The same from a server that refuses it, and with one that takes it.
	d.Stop()
	d.Binary = ""
	must(t, d.SetModules(testbed.Module{Name: "m", Path: dst, Extra: []string{"refuse options = fsync"}}))
	must(t, d.Start())
	r.setConfig(config(true))
	r.mustCLI("reload")
	write(t, filepath.Join(src, "g"), "x")
	r.waitFor("E-FSYNC", 20*time.Second, func() bool {
		e := r.status().remote(t, "src/r").Error
		return e != nil && e.ID == "E-FSYNC"
	})
	must(t, d.SetModules(testbed.Module{Name: "m", Path: dst}))
	r.flush(30 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}

// stamp gives the second the mtime of the first.
func stamp(t *testing.T, from, to string) {
	t.Helper()
	fi, err := os.Stat(from)
	must(t, err)
	must(t, os.Chtimes(to, fi.ModTime(), fi.ModTime()))
}
