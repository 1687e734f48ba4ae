//go:build packages

// These tests make the packages and look into them; debian_test.go installs them.
// They take some minutes: make packages-test.
package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// makeOnce makes the packages that the tests of one run look into.
var makeOnce = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs("../../../build/packages-test")
	if err == nil {
		err = os.RemoveAll(dir)
	}
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("./build", "v1.2.3", dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, nil
})

// made is where they are.
func made(t *testing.T) string {
	t.Helper()
	dir, err := makeOnce()
	must(t, err)
	return dir
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func one(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("%s: %q", pattern, files)
	}
	return files[0]
}

// TestMade makes the packages twice, under other circumstances, and compares.
func TestMade(t *testing.T) {
	dir, again := made(t), t.TempDir()
	self, err := filepath.Abs("build")
	must(t, err)
	cmd := exec.Command(self, "v1.2.3", again)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "TZ=Asia/Shanghai", "LANG=zh_CN.UTF-8", "TMPDIR="+t.TempDir())
	old := syscall.Umask(0o077)
	out, err := cmd.CombinedOutput()
	syscall.Umask(old)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first, err := filepath.Glob(dir + "/*")
	must(t, err)
	var names []string
	for _, f := range first {
		names = append(names, filepath.Base(f))
		if a, b := read(t, f), read(t, filepath.Join(again, filepath.Base(f))); a != b {
			t.Errorf("%s is another one the second time", filepath.Base(f))
		}
	}
	want := []string{"SHA256SUMS", "gorsyncd-1.2.3-1.aarch64.rpm", "gorsyncd-1.2.3-1.x86_64.rpm", "gorsyncd-1.2.3-linux-amd64.tar.gz",
		"gorsyncd-1.2.3-linux-arm64.tar.gz", "gorsyncd_1.2.3-1_amd64.deb", "gorsyncd_1.2.3-1_arm64.deb"}
	if !slices.Equal(names, want) {
		t.Errorf("made: %q", names)
	}
}

func deb(t *testing.T) string { return one(t, made(t)+"/gorsyncd_*_"+runtime.GOARCH+".deb") }
func rpm(t *testing.T) string {
	return one(t, made(t)+"/gorsyncd-*."+map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]+".rpm")
}

func TestLintian(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		out := output(t, "lintian", "--allow-root", "--tag-display-limit", "0", "--fail-on", "error,warning", one(t, made(t)+"/gorsyncd_*_"+arch+".deb"))
		if strings.Contains(out, "unused-override") || strings.Contains(out, "mismatched-override") {
			t.Errorf("overrides that are for nothing:\n%s", out)
		}
	}
}

func TestDebControl(t *testing.T) {
	info := output(t, "dpkg-deb", "-f", deb(t))
	for _, want := range []string{"Package: gorsyncd\n", "Version: 1.2.3-1\n", "Depends: rsync (>= 3.1.0), passwd\n", "Recommends: openssh-client\n"} {
		if !strings.Contains(info, want) {
			t.Errorf("lacks %q:\n%s", want, info)
		}
	}
	if files := output(t, "dpkg-deb", "--info", deb(t), "conffiles"); files != "/etc/gorsyncd/gorsyncd.yaml\n" {
		t.Errorf("conffiles: %q", files)
	}
	list := output(t, "dpkg-deb", "-c", deb(t))
	for name, mode := range inPackage {
		bits := "-" + mode.String()[1:]
		if !regexp.MustCompile(`(?m)^` + bits + ` root/root .* \./` + regexp.QuoteMeta(name) + `$`).MatchString(list) {
			t.Errorf("lacks %s %s", bits, name)
		}
	}
}

func TestArchive(t *testing.T) {
	dir := t.TempDir()
	output(t, "tar", "-C", dir, "-xzf", one(t, made(t)+"/*-linux-"+runtime.GOARCH+".tar.gz"))
	top := one(t, dir+"/*")
	if v := output(t, top+"/gorsyncd", "version"); !strings.Contains(v, "gorsyncd v1.2.3") {
		t.Error(v)
	}
	for _, f := range []string{"README.md", "copyright", "gorsyncd.yaml", "systemd/gorsyncd.service", "systemd/gorsyncd-user.service", "sysctl.d/gorsyncd.conf", "man/gorsyncd.8",
		"man/gorsyncd.yaml.5", "completion/gorsyncd.zsh", "docs/errors.md", "schema/gorsyncd.schema.json", "schema/status.json"} {
		if _, err := os.Stat(filepath.Join(top, f)); err != nil {
			t.Error(err)
		}
	}
	if out := output(t, "file", "-L", top+"/gorsyncd"); !strings.Contains(out, "statically linked") {
		t.Error(out)
	}
}

func TestRPMInfo(t *testing.T) {
	out := output(t, "rpm", "-qp", "--requires", "--recommends", rpm(t))
	for _, want := range []string{"rsync >= 3.1.0\n", "shadow-utils\n", "openssh-clients\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	if out := output(t, "rpm", "-qpc", rpm(t)); out != config+"\n" {
		t.Errorf("configuration files: %q", out)
	}
	if out := output(t, "rpm", "-qpd", rpm(t)); !strings.Contains(out, "/usr/share/man/man8/gorsyncd.8.gz\n") || !strings.Contains(out, "/usr/share/doc/gorsyncd/docs/errors.md\n") {
		t.Errorf("documentation: %s", out)
	}
	list := output(t, "rpm", "-qplv", rpm(t))
	if strings.Count(list, "\n") < 40 || !strings.Contains(list, "root     gorsyncd") {
		t.Error(list)
	}
	if host := output(t, "rpm", "-qp", "--qf", "%{BUILDHOST}", rpm(t)); host != "localhost" {
		t.Errorf("the name of this machine is in the package: %s", host)
	}
}
