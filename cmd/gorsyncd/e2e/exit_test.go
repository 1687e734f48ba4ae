package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

func TestBadConfigIs78(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := filepath.Join(dir, "c.yaml")
	must(t, os.WriteFile(conf, []byte("sources:\n  - path: "+dir+"\n    remotes:\n      - {targt: /x}\ndefaults: {workers: many}\n"), 0o600))
	for _, args := range [][]string{{"run", "-c", conf}, {"config", "check", "-c", conf}, {"-c", conf, "config", "check"}} {
		_, errOut, code := gorsyncd(t, args...)
		if code != 78 {
			t.Errorf("%v: exit %d, want 78", args, code)
		}
		contains(t, errOut, conf+":4:", `unknown key "targt"`, `did you mean "target"`, conf+":5:", "many")
	}
}

func TestSecondInstanceIs75(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	r := newRig(t, oneRemote(src, dst, ""))
	r.start()
	_, errOut, code := r.cli("run")
	if code != 75 {
		t.Errorf("second instance: exit %d, want 75\n%s", code, errOut)
	}
	r.status() // the first one is not disturbed
}

// TestRunWithoutConfig: gorsyncd run SOURCE TARGET.
func TestRunWithoutConfig(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	src, dst := mkdir(t, base, "src"), mkdir(t, base, "dst")
	write(t, filepath.Join(src, "a/b"), "x")
	sock := filepath.Join(base, "s")
	p := startCommand(t, "run", src, dst, "--state-dir", filepath.Join(base, "state"), "--socket", sock, "--log-format", "json")
	testbed.WaitEqual(t, src, dst, 30*time.Second)
	write(t, filepath.Join(src, "live"), "y")
	testbed.WaitEqual(t, src, dst, 10*time.Second)
	must(t, p.Signal(syscall.SIGTERM))
	select {
	case <-p.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("does not stop")
	}
	if err := p.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

func TestDaemonUnreachableIs69(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	r := newRig(t, oneRemote(src, dst, ""))
	for _, args := range [][]string{{"flush"}, {"pause", "src/r"}, {"reload"}} {
		if _, errOut, code := r.cli(args...); code != 69 {
			t.Errorf("%v: exit %d, want 69: %s", args, code, errOut)
		}
	}
}

// TestSignals: the first SIGTERM lets a transfer go on for a while, the second
// cuts it, and the next start carries on.
func TestSignals(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	d, r := serve(t, src, dst, "defaults: {bwlimit: 100K}")
	r.start()
	r.flush(20 * time.Second)
	write(t, filepath.Join(src, "slow"), strings.Repeat("x", 5<<20)) // 50 s at this rate
	r.waitFor("the transfer to begin", 10*time.Second, func() bool {
		return strings.Count(d.Log(), " rsync to ") > strings.Count(d.Log(), " total size ")
	})
	must(t, r.proc.Signal(syscall.SIGTERM))
	select {
	case <-r.proc.Done():
		t.Error("the first signal cut the transfer at once")
	case <-time.After(time.Second):
	}
	must(t, r.proc.Signal(syscall.SIGTERM))
	select {
	case <-r.proc.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the second signal did not end it")
	}
	var exit *exec.ExitError
	if err := r.proc.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("after two signals: %v, want exit status 130", err)
	}
	r.proc = nil
	r.setConfig(oneRemote(src, d.Target("m"), ""))
	r.start()
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
	noLeftovers(t, dst)
}
