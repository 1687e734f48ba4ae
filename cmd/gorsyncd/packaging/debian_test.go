//go:build packages

// These tests install the packages in a Debian of their own, which debootstrap lays
// once below build/. They need root.
package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// debian is a machine of its own as far as files go.
type debian struct {
	t    *testing.T
	root string
}

// newDebian is a fresh copy of what debootstrap made.
func newDebian(t *testing.T) *debian {
	t.Helper()
	base, err := filepath.Abs("../../../build/debian-root")
	must(t, err)
	if _, err := os.Stat(base + "/complete"); err != nil {
		must(t, os.RemoveAll(base))
		mirror, _, _ := strings.Cut(output(t, "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"), "\n")
		output(t, "debootstrap", "--variant=minbase", "--include=rsync,man-db", "bookworm", base, mirror)
		must(t, os.WriteFile(base+"/complete", nil, 0o600))
	}
	d := &debian{t, filepath.Join(t.TempDir(), "root")}
	output(t, "cp", "-a", base, d.root)
	// policy-rc.d and stand-ins tell what would be started.
	for name, text := range map[string]string{
		"usr/bin/systemctl":          "#!/bin/sh\necho systemctl \"$@\" >>/calls\ncase \"$*\" in *is-active*) [ -e /running ] ;; esac\n",
		"usr/bin/deb-systemd-invoke": "#!/bin/sh\necho invoke \"$@\" >>/calls\n",
	} {
		must(t, os.WriteFile(filepath.Join(d.root, name), []byte(text), 0o755))
	}
	must(t, os.MkdirAll(d.root+"/run/systemd/system", 0o755))
	return d
}

// try runs a command inside.
func (d *debian) try(args ...string) (string, error) {
	cmd := exec.Command("unshare", append([]string{"--mount", "--pid", "--fork", "--kill-child", "--root=" + d.root, "--mount-proc=/proc", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "HOME=/root"}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (d *debian) do(args ...string) string {
	d.t.Helper()
	out, err := d.try(args...)
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// put copies a file to the top directory.
func (d *debian) put(file string) string {
	d.t.Helper()
	output(d.t, "cp", file, d.root+"/")
	return "/" + filepath.Base(file)
}

// calls are those of the stand-ins since the last time.
func (d *debian) calls() string {
	d.t.Helper()
	b, err := os.ReadFile(d.root + "/calls")
	if err != nil {
		return ""
	}
	must(d.t, os.Remove(d.root+"/calls"))
	return string(b)
}

func (d *debian) stat(path, want string) {
	d.t.Helper()
	if got := strings.TrimSpace(d.do("stat", "-c", "%a %U:%G", path)); got != want {
		d.t.Errorf("%s: %s, want %s", path, got, want)
	}
}

func (d *debian) exists(path string, want bool) {
	d.t.Helper()
	if _, err := os.Lstat(d.root + path); (err == nil) != want {
		d.t.Errorf("%s: %v, want it there: %v", path, err, want)
	}
}

// newer is the package with a higher version and another example.
func newer(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deb")
	output(t, "dpkg-deb", "-R", deb(t), dir)
	control := strings.Replace(read(t, dir+"/DEBIAN/control"), "Version: 1.2.3-1", "Version: 1.2.4-1", 1)
	must(t, os.WriteFile(dir+"/DEBIAN/control", []byte(control), 0o644))
	must(t, os.WriteFile(dir+"/etc/gorsyncd/gorsyncd.yaml", []byte("# a newer example\n"), 0o640))
	to := filepath.Join(t.TempDir(), "newer.deb")
	output(t, "dpkg-deb", "--root-owner-group", "-Zgzip", "-b", dir, to)
	return to
}

const config = "/etc/gorsyncd/gorsyncd.yaml"

// TestDebian installs, upgrades, removes and purges.
func TestDebian(t *testing.T) {
	d := newDebian(t)
	d.do("dpkg", "-i", d.put(deb(t)))
	if calls := d.calls(); calls != "systemctl --system daemon-reload\n" {
		t.Errorf("installing started something: %q", calls)
	}
	if v := d.do("gorsyncd", "version"); !strings.Contains(v, "gorsyncd v1.2.3 ") {
		t.Error(v)
	}
	for page, want := range map[string]string{"gorsyncd": "gorsyncd journal inspect", "gorsyncd.yaml": "guard.max_delete"} {
		if text := d.do("man", "-P", "cat", page); !strings.Contains(text, want) {
			t.Errorf("man %s lacks %s:\n%s", page, want, text)
		}
	}
	d.stat(config, "640 root:gorsyncd")
	d.stat("/etc/gorsyncd", "755 root:root")
	d.stat("/usr/bin/gorsyncd", "755 root:root")
	for _, f := range []string{"/etc/systemd/system/multi-user.target.wants/gorsyncd.service", "/var/lib/gorsyncd"} {
		d.exists(f, false)
	}
	if out, err := d.try("gorsyncd", "run"); err == nil || !strings.Contains(out, config) {
		t.Errorf("it runs with the example as it is: %v %s", err, out)
	}

	must(t, os.WriteFile(d.root+config, []byte("# edited\n"), 0o640))
	d.do("chmod", "600", config)
	d.do("mkdir", "-p", "/var/lib/gorsyncd/journal")
	newer := d.put(newer(t))
	d.do("dpkg", "--force-confold", "-i", newer)
	if calls := d.calls(); strings.Contains(calls, "invoke") {
		t.Errorf("an upgrade started what did not run: %q", calls)
	}
	if text := read(t, d.root+config); text != "# edited\n" {
		t.Errorf("the upgrade replaced the configuration: %q", text)
	}
	d.stat(config, "600 root:gorsyncd")
	must(t, os.WriteFile(d.root+"/running", nil, 0o600))
	d.do("dpkg", "--force-confold", "-i", newer)
	if calls := d.calls(); !strings.Contains(calls, "invoke restart gorsyncd.service\n") {
		t.Errorf("an upgrade leaves the old program running: %q", calls)
	}

	d.do("dpkg", "-r", "gorsyncd")
	if calls := d.calls(); !strings.Contains(calls, "invoke stop gorsyncd.service\n") {
		t.Errorf("removing leaves it running: %q", calls)
	}
	d.exists("/usr/bin/gorsyncd", false)
	d.exists(config, true)
	d.exists("/var/lib/gorsyncd/journal", true)
	d.do("dpkg", "-P", "gorsyncd")
	for _, f := range []string{"/etc/gorsyncd", "/var/lib/gorsyncd", "/usr/share/gorsyncd", "/usr/share/doc/gorsyncd"} {
		d.exists(f, false)
	}
}

// TestDebianKeepsKeys: purge removes what is ours, not what somebody put beside it.
func TestDebianKeepsKeys(t *testing.T) {
	d := newDebian(t)
	d.do("dpkg", "-i", d.put(deb(t)))
	must(t, os.WriteFile(d.root+"/etc/gorsyncd/rsync.pass", []byte("x"), 0o600))
	d.do("dpkg", "-P", "gorsyncd")
	d.exists("/etc/gorsyncd/rsync.pass", true)
	d.exists(config, false)
}

// TestRPM installs into the same tree, with the rpm of this machine.
func TestRPM(t *testing.T) {
	d := newDebian(t)
	db := "--dbpath=/var/lib/rpm-test"
	must(t, os.MkdirAll(d.root+"/var/lib/rpm-test", 0o755))
	install := func(args ...string) {
		t.Helper()
		output(t, "rpm", append([]string{"--root", d.root, db, "--nodeps"}, args...)...)
	}
	must(t, os.WriteFile(d.root+"/running", nil, 0o600))
	install("-i", rpm(t))
	if calls := d.calls(); calls != "systemctl --system daemon-reload\n" {
		t.Errorf("installing started something: %q", calls)
	}
	if v := d.do("gorsyncd", "version"); !strings.Contains(v, "gorsyncd v1.2.3 ") {
		t.Error(v)
	}
	d.stat(config, "640 root:gorsyncd")
	must(t, os.WriteFile(d.root+config, []byte("# edited\n"), 0o640))
	install("-U", "--force", rpm(t))
	if text := read(t, d.root+config); text != "# edited\n" {
		t.Errorf("the upgrade replaced the configuration: %q", text)
	}
	if calls := d.calls(); !strings.Contains(calls, "systemctl try-restart gorsyncd.service\n") {
		t.Errorf("an upgrade leaves the old program running: %q", calls)
	}
	must(t, os.MkdirAll(d.root+"/var/lib/gorsyncd/journal", 0o700))
	install("-e", "gorsyncd")
	if calls := d.calls(); !strings.Contains(calls, "disable --now gorsyncd.service\n") {
		t.Errorf("removing leaves it running: %q", calls)
	}
	d.exists("/usr/bin/gorsyncd", false)
	d.exists("/var/lib/gorsyncd/journal", true)
	if text := read(t, d.root+config+".rpmsave"); text != "# edited\n" {
		t.Errorf("the configuration is gone: %q", text)
	}
}
