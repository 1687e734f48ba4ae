package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// restricted is a server whose key runs rrsync with options in a directory.
func restricted(t *testing.T, options, dir string) *testbed.SSHD {
	t.Helper()
	if _, err := exec.LookPath("rrsync"); err != nil {
		t.Fatal("rrsync comes with rsync: ", err)
	}
	s := testbed.RunSSHD(t)
	must(t, s.Authorize(fmt.Sprintf(`command="rrsync %s %s",restrict`, options, dir)))
	return s
}

// TestRRsync: everything works with a key that may read and write below a
// directory; paths are those below it.
func TestRRsync(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "before"), "1")
	s := restricted(t, "-no-lock", filepath.Dir(dst))
	target := s.User + "@127.0.0.1:/" + filepath.Base(dst)
	r := newRig(t, oneRemote(src, target, sshLines(s, ", rrsync: true")))
	contains(t, r.mustCLI("doctor"), "ok    src/r: can be written to")
	r.start()
	r.waitSync(overSSH)
	everyKind(t, r, src, dst)
	write(t, filepath.Join(dst, "hard"), "changed there")
	out, _, code := r.cli("verify", "--repair")
	if code != 5 {
		t.Errorf("verify: exit %d\n%s", code, out)
	}
	contains(t, out, "hard")
	r.flush(overSSH)
	r.mustCLI("sync")
	r.waitSync(overSSH)
	testbed.WaitEqual(t, src, dst, 5*time.Second)

	contains(t, askDoctor(t, oneRemote(src, target, sshLines(s, ""))), "fail  src/r: E-RRSYNC")
}

// TestRRsyncWriteOnly: with -wo nothing can be read back, which is said.
func TestRRsyncWriteOnly(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "before"), "1")
	s := restricted(t, "-wo -no-lock", dst)
	r := newRig(t, oneRemote(src, s.User+"@127.0.0.1:/", sshLines(s, ", rrsync: true")))
	contains(t, r.mustCLI("doctor"), "ok    src/r: can be written to")
	r.start()
	r.waitSync(overSSH)
	write(t, filepath.Join(src, "d/new"), "1")
	r.flush(overSSH)
	must(t, os.RemoveAll(filepath.Join(src, "d")))
	r.flush(overSSH)
	testbed.WaitEqual(t, src, dst, 2*time.Second)
	r.mustCLI("verify")
	r.mustCLI("sync")
	r.waitSync(overSSH)
	testbed.WaitEqual(t, src, dst, 5*time.Second)
}

// TestRRsyncLocked: without -no-lock one rsync may run at a time.
func TestRRsyncLocked(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "before"), "1")
	s := restricted(t, "", dst)
	r := newRig(t, oneRemote(src, s.User+"@127.0.0.1:/", sshLines(s, ", rrsync: true")+"  workers: 1\n  warm: 0"))
	r.start()
	r.waitSync(overSSH)
	for i := range 5 {
		write(t, filepath.Join(src, fmt.Sprint("d", i), "new"), "1")
	}
	r.flush(overSSH)
	testbed.WaitEqual(t, src, dst, 2*time.Second)
}

// TestRRsyncRefuses: what the key does not allow is a message with a remedy.
func TestRRsyncRefuses(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "a"), "1")
	write(t, filepath.Join(src, "stays"), "1")
	s := restricted(t, "-ro", dst)
	conf := oneRemote(src, s.User+"@127.0.0.1:/", sshLines(s, ", rrsync: true"))
	contains(t, askDoctor(t, conf), "fail  src/r: E-READONLY")
	must(t, s.Authorize(fmt.Sprintf(`command="rrsync -no-del -no-lock %s",restrict`, dst)))
	r := newRig(t, conf)
	r.start()
	r.waitSync(overSSH)
	testbed.WaitEqual(t, src, dst, 2*time.Second)
	must(t, os.Remove(filepath.Join(src, "a")))
	if st := r.waitState("src/r", "failing", overSSH); st.Error == nil || st.Error.ID != "E-REFUSED" {
		t.Errorf("the key removes nothing: %+v", st.Error)
	}
	must(t, s.Authorize(fmt.Sprintf(`command="rrsync -no-lock %s",restrict`, dst)))
	r.mustCLI("retry", "src/r")
	r.flush(overSSH)
	testbed.WaitEqual(t, src, dst, 2*time.Second)
}

// TestRRsyncRemovesNothing: with -no-del and delete: none the key sends, and what
// was moved is there under both names.
func TestRRsyncRemovesNothing(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	s := restricted(t, "-no-del -no-lock", dst)
	r := newRig(t, oneRemote(src, s.User+"@127.0.0.1:/", sshLines(s, ", rrsync: true")+"  delete: none"))
	r.start()
	r.waitSync(overSSH)
	write(t, filepath.Join(src, "old/file"), "1")
	r.flush(overSSH)
	must(t, os.Rename(filepath.Join(src, "old"), filepath.Join(src, "new")))
	r.flush(overSSH)
	contains(t, r.readLog(), "linked=true")
	testbed.WaitEqual(t, src, dst, 2*time.Second, testbed.Options{Skip: func(p string) bool { return p == "old" }})
	if _, err := os.Stat(filepath.Join(dst, "old/file")); err != nil {
		t.Error(err)
	}
	r.mustCLI("verify")
}
