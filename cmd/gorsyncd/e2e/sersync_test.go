package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// shipped is the set-up that sersync's users run: three modules behind one user,
// and a confxml.xml with three localpaths. Only directories, address and port are
// those of the test.
type shipped struct {
	xml  string
	srcs []string
	dsts []string
}

func newShipped(t *testing.T) shipped {
	t.Helper()
	dir := t.TempDir()
	secrets := filepath.Join(dir, "rsyncd.secrets")
	must(t, os.WriteFile(secrets, []byte("rsync_backup:1q2w3e4r\n"), 0o600))
	password := filepath.Join(dir, "rsync.password")
	must(t, os.WriteFile(password, []byte("1q2w3e4r\n"), 0o600))
	var s shipped
	var modules []testbed.Module
	text, err := os.ReadFile("../internal/sersync/testdata/shipped.xml")
	must(t, err)
	xml := string(text)
	for _, name := range []string{"www", "bbs", "blog"} {
		src, dst := mkdir(t, dir, "data0", name), mkdir(t, dir, "copy", name)
		write(t, filepath.Join(src, "before"), name)
		modules = append(modules, testbed.Module{Name: name, Path: dst, Extra: []string{"auth users = rsync_backup", "secrets file = " + secrets, "ignore errors"}})
		s.srcs, s.dsts = append(s.srcs, src), append(s.dsts, dst)
		xml = replaceOnce(t, xml, `watch="/data0/www/`+name+`"`, fmt.Sprintf("watch=%q", src))
	}
	d := testbed.RunRsyncd(t, modules...)
	xml = strings.ReplaceAll(xml, "192.168.222.140", "127.0.0.1")
	xml = replaceOnce(t, xml, "/etc/rsync.password", password)
	xml = replaceOnce(t, xml, `<userDefinedPort start="false" port="874"/>`, fmt.Sprintf(`<userDefinedPort start="true" port="%d"/>`, d.Port))
	s.xml = filepath.Join(dir, "confxml.xml")
	must(t, os.WriteFile(s.xml, []byte(xml), 0o600))
	return s
}

func replaceOnce(t *testing.T, text, old, new string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q is there %d times", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, new, 1)
}

// replicates has changes in every source arrive.
func (s shipped) replicates(t *testing.T, r *rig) {
	t.Helper()
	for _, src := range s.srcs {
		write(t, filepath.Join(src, "upload", "图片.jpg"), "1")
		must(t, os.Symlink("before", filepath.Join(src, "link")))
	}
	r.flush(20 * time.Second)
	for i, src := range s.srcs {
		must(t, os.Remove(filepath.Join(src, "before")))
		must(t, os.Rename(filepath.Join(src, "upload"), filepath.Join(src, "uploads")))
		write(t, filepath.Join(src, ".htaccess"), fmt.Sprint(i))
	}
	r.flush(20 * time.Second)
	for i, src := range s.srcs {
		if diff, err := testbed.DiffTrees(src, s.dsts[i], testbed.Options{Xattrs: true}); err != nil || len(diff) > 0 {
			t.Errorf("%s: %v %q", src, err, diff)
		}
	}
}

// TestSersyncDirectly runs the file of sersync itself: all three localpaths, by
// one process.
func TestSersyncDirectly(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	r := newRig(t, "") // what the other commands are told; only its socket counts
	r.spawnArgs("run", "-o", s.xml, "--state-dir", r.stateDir(), "--socket", r.socket)
	r.waitAnswer()
	s.replicates(t, r)
	log, err := os.ReadFile(r.log)
	must(t, err)
	contains(t, string(log), "-u is left out", "failLog")
}

// TestSersyncImported runs what the import makes of it.
func TestSersyncImported(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	out, errOut, code := gorsyncd(t, "config", "import-sersync", s.xml)
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, errOut)
	}
	contains(t, errOut, "confxml.xml:33: changed: -u is left out", "dropped: failLog")
	r := newRig(t, out)
	r.mustCLI("config", "check")
	r.start()
	s.replicates(t, r)
}

// TestSersyncRefused: a file of which something would be lost does not run.
func TestSersyncRefused(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	text, err := os.ReadFile(s.xml)
	must(t, err)
	lossy := replaceOnce(t, replaceOnce(t, string(text), `<filter start="false">
	<exclude expression="(.*)\.svn">`, `<filter start="true">
	<exclude expression="(.*)\.[0-9]+">`), `<fileSystem xfs="false"/>`, "")
	must(t, os.WriteFile(s.xml, []byte(lossy), 0o600))
	_, errOut, code := gorsyncd(t, "run", "-o", s.xml, "--state-dir", t.TempDir())
	if code != 78 {
		t.Fatalf("exit %d\n%s", code, errOut)
	}
	contains(t, errOut, `exclude expression "(.*)\.[0-9]+"`, "config import-sersync")
	out, errOut, code := gorsyncd(t, "config", "import-sersync", s.xml)
	if code != 3 || !strings.Contains(out, "sources:") {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
}

// TestCalledSersync: under the name of sersync2, with the options of the line that
// is in its users' rc.local, it goes into the background and replicates; one that
// is started again says who runs.
func TestCalledSersync(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	r := newRig(t, "")
	sersync2 := filepath.Join(r.dir, "sersync2")
	must(t, os.Symlink(binary, sersync2))
	call := func(args ...string) (string, int) {
		t.Helper()
		cmd := exec.Command(sersync2, args...)
		cmd.Env = append(env(), "GORSYNCD_STATE_DIR="+r.stateDir(), "GORSYNCD_SOCKET="+r.socket)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	out, code := call("-d", "-r", "-n", "2", "-o", s.xml)
	m := regexp.MustCompile(`pid (\d+), log (\S+)`).FindStringSubmatch(out)
	if code != 0 || m == nil {
		t.Fatalf("exit %d\n%s", code, out)
	}
	pid, err := strconv.Atoi(m[1])
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			b, _ := os.ReadFile(m[2])
			t.Logf("of its log:\n%s", excerpt(string(b)))
		}
		end(t, pid)
	})
	s.replicates(t, r)
	contains(t, r.mustCLI("config", "show", "--running"), "workers: 2")

	out, code = call("-d", "-o", s.xml)
	if code != 75 || !strings.Contains(out, "did not start, see "+m[2]) {
		t.Errorf("a second one: exit %d\n%s", code, out)
	}
	if out, code = call("-h"); code != 0 || !strings.Contains(out, "-o FILE") {
		t.Errorf("-h: exit %d\n%s", code, out)
	}
	if out, code = call("-m", "socket", "-o", s.xml); code != 78 || !strings.Contains(out, "has no section") {
		t.Errorf("-m: exit %d\n%s", code, out)
	}
	if out, code = call("-d", "-o", "none.xml"); code != 78 || !strings.Contains(out, "none.xml") {
		t.Errorf("a file that is not there: exit %d\n%s", code, out)
	}
}

// TestDetach: the one in the background stays there, however the flag is written.
func TestDetach(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	r := newRig(t, oneRemote(src, dst, ""))
	out := r.mustCLI("run", "--detach=true", "--json")
	asItsSchema(t, "run-detach", out)
	var is struct {
		PID int    `json:"pid"`
		Log string `json:"log"`
	}
	must(t, json.Unmarshal([]byte(out), &is))
	t.Cleanup(func() { end(t, is.PID) })
	write(t, filepath.Join(src, "f"), "1")
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", is.PID))
	must(t, err)
	contains(t, string(environ), "GORSYNCD_DETACHED=1")
	if _, err := os.Stat(is.Log); err != nil {
		t.Error(err)
	}
}

// end ends a process that is no child of the test, and waits for that.
func end(t *testing.T, pid int) {
	t.Helper()
	for range 300 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") { // ended, and perhaps nobody waits for it
			return
		}
		_ = syscall.Kill(pid, syscall.SIGTERM)
		time.Sleep(100 * time.Millisecond)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	t.Errorf("process %d did not end", pid)
}
