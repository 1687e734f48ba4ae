package e2e

import (
	"encoding/json"
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

	contains(t, r.mustCLI("config", "check", "--connect"), ": ok, 1 source, 1 remote\n", "ok    src/r: can be written to, by rsync")
	out, errOut, code = other.cli("config", "check", "--connect")
	if code != 4 {
		t.Errorf("config check --connect: exit %d\n%s", code, errOut)
	}
	contains(t, out, ": ok, 1 source, 3 remotes\n", "fail  src/ro: E-READONLY", "fail  src/none: E-MODULE")
	other.mustCLI("config", "check")
	out, _, code = other.cli("config", "check", "--connect", "--json")
	var doc struct {
		OK      bool
		Remotes []struct{ About, ID, Level, Remedy string }
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || code != 4 || doc.OK || len(doc.Remotes) != 3 || doc.Remotes[1].About != "src/none" || doc.Remotes[1].ID != "E-MODULE" || doc.Remotes[1].Remedy == "" {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}
	other.setConfig("sources: 7\n")
	if _, _, code := other.cli("config", "check", "--connect"); code != 78 {
		t.Errorf("config check --connect of a bad file: exit %d", code)
	}
}
