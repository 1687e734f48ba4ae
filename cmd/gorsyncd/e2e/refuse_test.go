package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// TestRefusedFile: one file cannot be written on the remote; everything else
// flows, the path waits with its reason, and it heals by itself.
func TestRefusedFile(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "defaults: {retry: {initial: 300ms, max: 1s}}")
	write(t, filepath.Join(src, "dir/stone"), "old")
	r.start()
	r.flush(20 * time.Second)

	stone := filepath.Join(dst, "dir/stone")
	run(t, "chattr", "+i", stone)
	t.Cleanup(func() { _ = exec.Command("chattr", "-i", stone).Run() })
	write(t, filepath.Join(src, "dir/stone"), "new")
	for i := range 50 {
		write(t, filepath.Join(src, fmt.Sprintf("dir/%d", i)), "flows")
	}
	r.waitFor("the rest to arrive", 20*time.Second, func() bool {
		b, err := os.ReadFile(filepath.Join(dst, "dir/49"))
		return err == nil && string(b) == "flows"
	})
	r.waitFor("a second attempt", 20*time.Second, func() bool {
		out := r.mustCLI("journal", "inspect", "--state", "failing", "--json")
		return strings.Contains(out, "dir/stone") && strings.Contains(out, "E-DEST-PERM") && !strings.Contains(out, `"attempts":1,`)
	})
	if doc := r.waitState("src/r", "failing", 20*time.Second); doc.Failing != 1 || doc.Error == nil || doc.Error.ID != "E-DEST-PERM" {
		t.Errorf("remote with a refused file: %+v", doc)
	}
	if _, _, code := r.cli("status", "-q"); code != 4 {
		t.Errorf("status -q: exit %d, want 4", code)
	}
	out, _, _ := r.cli("explain", filepath.Join(src, "dir/stone"))
	contains(t, out, "E-DEST-PERM", "src/r")

	run(t, "chattr", "-i", stone)
	testbed.WaitEqual(t, src, dst, 20*time.Second)
	r.waitSync(10 * time.Second)
}

// TestRemoteFull: a file too big for the remote waits, small ones flow.
func TestRemoteFull(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	run(t, "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", dst)
	t.Cleanup(func() { run(t, "umount", dst) })
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	t.Cleanup(d.Stop) // before the umount
	r := newRig(t, oneRemote(src, d.Target("m"), "defaults: {retry: {initial: 300ms, max: 1s}}"))
	r.start()
	// It comes whole: what of it is there while it is written may fit, and then
	// fill the remote for good.
	huge := filepath.Join(filepath.Dir(src), "a-huge")
	write(t, huge, strings.Repeat("x", 8<<20))
	must(t, os.Rename(huge, filepath.Join(src, "a-huge")))
	for i := range 30 {
		write(t, filepath.Join(src, fmt.Sprintf("small%d", i)), "flows")
	}
	r.waitFor("the small files", 30*time.Second, func() bool {
		for i := range 30 {
			if _, err := os.Stat(filepath.Join(dst, fmt.Sprintf("small%d", i))); err != nil {
				return false
			}
		}
		return true
	})
	r.waitFor("the reason to be shown", 20*time.Second, func() bool {
		out, _, _ := r.cli("status")
		return strings.Contains(out, "E-NOSPACE")
	})
	run(t, "mount", "-o", "remount,size=40m", dst)
	r.waitSync(30 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}

// TestSickRemotes: each way in which a remote can refuse everything has a name
// and a remedy, none is a hot loop, and each heals.
func TestSickRemotes(t *testing.T) {
	t.Parallel()
	good := func(dst string) testbed.Module {
		return testbed.Module{Name: "m", Path: dst, Extra: []string{"auth users = bob", "secrets file = %SECRETS%"}}
	}
	cases := []struct {
		id   string
		sick func(m testbed.Module) testbed.Module
	}{
		{"E-AUTH", func(m testbed.Module) testbed.Module {
			m.Extra = []string{"auth users = alice", m.Extra[1]}
			return m
		}},
		{"E-MODULE", func(m testbed.Module) testbed.Module { m.Name = "other"; return m }},
		{"E-READONLY", func(m testbed.Module) testbed.Module {
			m.Extra = append([]string{"read only = true"}, m.Extra...)
			return m
		}},
		{"E-DENIED", func(m testbed.Module) testbed.Module {
			m.Extra = append([]string{"hosts deny = *"}, m.Extra...)
			return m
		}},
		{"E-MODPATH", func(m testbed.Module) testbed.Module { m.Path += "-gone"; return m }},
		{"E-BUSY", func(m testbed.Module) testbed.Module {
			m.Extra = append([]string{"max connections = -1"}, m.Extra...)
			return m
		}},
	}
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			src, dst := mkdir(t, base, "src"), mkdir(t, base, "dst")
			d := testbed.RunRsyncd(t)
			secrets, err := d.WriteSecrets("secrets", "bob:geheim\nalice:other\n", 0o600)
			must(t, err)
			pass, err := d.WriteSecrets("pass", "geheim\n", 0o600)
			must(t, err)
			m := good(dst)
			m.Extra[1] = "secrets file = " + secrets
			must(t, d.SetModules(m))

			r := newRig(t, oneRemote(src, d.UserTarget("bob", "m"), "defaults: {password_file: "+pass+", retry: {initial: 200ms, max: 1s}}"))
			r.start()
			r.flush(20 * time.Second)
			must(t, d.SetModules(c.sick(m)))
			write(t, filepath.Join(src, "f"), "x")
			r.waitFor("the error to be named", 20*time.Second, func() bool {
				e := r.status().remote(t, "src/r").Error
				return e != nil && e.ID == c.id && e.Hint != "" && e.Attempts >= 1
			})
			before := strings.Count(d.Log(), "connect from")
			time.Sleep(2 * time.Second)
			if n := strings.Count(d.Log(), "connect from") - before; n > 8 {
				t.Errorf("%d connections in 2 s", n)
			}
			must(t, d.SetModules(m))
			r.flush(20 * time.Second)
			testbed.WaitEqual(t, src, dst, time.Second)
		})
	}
}

// TestSSHRefused: an unknown host key and a refused key have names, too.
func TestSSHRefused(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	src, dst := mkdir(t, base, "src"), mkdir(t, base, "dst")
	s := testbed.RunSSHD(t)
	empty := filepath.Join(base, "empty")
	must(t, os.WriteFile(empty, nil, 0o600))
	r := newRig(t, oneRemote(src, s.Target(dst), fmt.Sprintf(
		"defaults: {retry: {initial: 200ms, max: 1s}, ssh: {port: %d, identity_file: %s, known_hosts: %s}}", s.Port, s.IdentityFile, empty)))
	write(t, filepath.Join(src, "f"), "x")
	r.start()
	r.waitFor("E-HOSTKEY", overSSH, func() bool {
		e := r.status().remote(t, "src/r").Error
		return e != nil && e.ID == "E-HOSTKEY" && e.Hint != ""
	})
	r.setConfig(oneRemote(src, s.Target(dst), fmt.Sprintf(
		"defaults: {retry: {initial: 200ms, max: 1s}, ssh: {port: %d, identity_file: %s, known_hosts: %s}}", s.Port, s.IdentityFile, s.KnownHosts)))
	r.mustCLI("reload")
	r.flush(overSSH)
	testbed.WaitEqual(t, src, dst, time.Second)
}
