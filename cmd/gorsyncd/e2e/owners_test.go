package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// owned gives a tree to one user.
func owned(t *testing.T, dir string, uid int) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, uid)
	}))
}

// TestOwnersWithoutRoot: a receiver that is not root loses owners, which doctor
// says; one that notes them keeps them, and one that is told a single owner is
// equal in all else.
func TestOwnersWithoutRoot(t *testing.T) {
	needRoot(t)
	t.Parallel()
	base := openDir(t)
	src := mkdir(t, base, "src")
	names := []string{"lost", "noted", "mapped"}
	dst := map[string]string{}
	for _, n := range names {
		dst[n] = mkdir(t, base, n)
	}
	write(t, filepath.Join(src, "d/theirs"), "1")
	must(t, os.Chown(filepath.Join(src, "d/theirs"), 1234, 1234))
	owned(t, dst["lost"], stranger)
	owned(t, dst["noted"], stranger)
	as := []string{fmt.Sprint("uid = ", stranger), fmt.Sprint("gid = ", stranger)}
	d := testbed.RunRsyncd(t,
		testbed.Module{Name: "lost", Path: dst["lost"], Extra: as},
		testbed.Module{Name: "noted", Path: dst["noted"], Extra: append([]string{"fake super = yes"}, as...)},
		testbed.Module{Name: "mapped", Path: dst["mapped"]})
	r := newRig(t, fmt.Sprintf("sources:\n  - path: %s\n    name: src\n    remotes:\n      - {name: lost, target: %q}\n      - {name: noted, target: %q}\n      - {name: mapped, target: %q, rsync: {args: [\"--chown=%d:%d\"]}}\n",
		src, d.Target("lost"), d.Target("noted"), d.Target("mapped"), stranger, stranger))
	r.start()
	r.waitSync(20 * time.Second)
	r.flush(20 * time.Second)
	out := r.mustCLI("doctor")
	contains(t, out, "warn  src/lost: W-OWNERS", "fake super = yes")
	lacks(t, "what doctor says", out, "src/noted: W-", "src/mapped: W-")
	if out, _, code := r.cli("verify", "src/noted", "src/mapped"); code != 0 {
		t.Errorf("verify: exit %d\n%s", code, out)
	}
	note, err := exec.Command("getfattr", "--only-values", "-n", "user.rsync.%stat", filepath.Join(dst["noted"], "d/theirs")).Output()
	if err != nil || !strings.HasSuffix(string(note), " 1234:1234") {
		t.Errorf("noted: %q, %v", note, err)
	}
	if st := stat(t, filepath.Join(dst["mapped"], "d/theirs")); st.Uid != stranger {
		t.Errorf("mapped to %d", st.Uid)
	}
	owned(t, src, stranger)
	r.flush(20 * time.Second)
	for _, n := range names {
		testbed.WaitEqual(t, src, dst[n], 5*time.Second)
	}
}

func stat(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	fi, err := os.Lstat(path)
	must(t, err)
	return fi.Sys().(*syscall.Stat_t)
}

// TestNobodyIsRoot: gorsyncd and the receiver belong to one user who is not root.
func TestNobodyIsRoot(t *testing.T) {
	needRoot(t)
	t.Parallel()
	base := openDir(t)
	src, dst := mkdir(t, base, "src"), mkdir(t, base, "dst")
	write(t, filepath.Join(src, "d/file"), "1")
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst, Extra: []string{fmt.Sprint("uid = ", stranger), fmt.Sprint("gid = ", stranger)}})
	work := mkdir(t, base, "work")
	r := newRig(t, "")
	r.socket = filepath.Join(work, "sock")
	conf := filepath.Join(work, "gorsyncd.yaml")
	must(t, os.WriteFile(conf, fmt.Appendf(nil, "state_dir: %s/state\nsocket: %s\n%s", work, r.socket, oneRemote(src, d.Target("m"), "")), 0o600))
	owned(t, base, stranger)
	out, _ := cliAs(t, stranger, stranger, "doctor", "--config", conf)
	contains(t, out, "ok    src/r: ", "warn  source src: this user is not root")
	cmd := as(exec.Command(tool(t, binary), "run", "--config", conf), stranger, stranger)
	cmd.Env = append(env(), "HOME=/nonexistent")
	log, err := os.Create(r.log)
	must(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	r.proc, err = testbed.StartProcess(cmd)
	must(t, err)
	r.waitAnswer()
	r.waitSync(20 * time.Second)
	write(t, filepath.Join(src, "d/more"), "2")
	must(t, os.Chown(filepath.Join(src, "d/more"), stranger, stranger))
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, 5*time.Second)
}
