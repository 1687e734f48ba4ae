package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gorsyncd/bench/testbed"
)

// TestDoctor asks real remotes, right and wrong ones, without a daemon and beside
// one.
func TestDoctor(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst}, testbed.Module{Name: "ro", Path: dst, Extra: []string{"read only = true"}})
	secret := filepath.Join(t.TempDir(), "pas")
	must(t, os.WriteFile(secret, []byte("x\n"), 0o644))
	r := newRig(t, oneRemote(src, d.Target("m"), ""))
	contains(t, r.mustCLI("doctor"), "ok    src/r: can be written to, by rsync", "ok    source src: ", "warn  daemon: is not running")
	if list, err := os.ReadDir(dst); err != nil || len(list) > 0 {
		t.Errorf("the remote was changed: %v %v", list, err)
	}
	r.start()
	contains(t, r.mustCLI("doctor"), "ok    daemon: is running")

	other := newRig(t, fmt.Sprintf("sources:\n  - path: %q\n    name: src\n    remotes:\n      - {name: ro, target: %q}\n      - {name: none, target: %q}\n      - {name: open, target: %q, password_file: %s}\n",
		src, d.Target("ro"), d.Target("none"), d.UserTarget("u", "m"), secret))
	out, errOut, code := other.cli("doctor")
	if code != 4 {
		t.Errorf("exit %d\n%s", code, errOut)
	}
	contains(t, out, "fail  src/ro: E-READONLY", "fail  src/none: E-MODULE", "fail  src/open: E-PASSFILE", "      → ")
}
