package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestCredential: a password and nothing else comes from the credentials of the
// unit, with the rights that systemd gives them; where there is none the start says
// so, with the place.
func TestCredential(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "f"), "1")
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	secrets, err := d.WriteSecrets("secrets", "backup:hunter2\n", 0o600)
	must(t, err)
	must(t, d.SetModules(testbed.Module{Name: "m", Path: dst, Extra: []string{"auth users = backup", "secrets file = " + secrets}}))
	credentials := mkdir(t, t.TempDir(), "credentials")
	pass := filepath.Join(credentials, "rsync.pass")
	must(t, os.WriteFile(pass, []byte("hunter2\n"), 0o440))
	must(t, os.Chmod(pass, 0o440)) // as for a service with User=
	r := newRig(t, fmt.Sprintf("sources:\n  - path: %q\n    name: src\n    remotes:\n      - {name: r, target: %q, password_file: 'credential:rsync.pass'}\n",
		src, d.UserTarget("backup", "m")))

	refused := func(env []string, want string) {
		t.Helper()
		r.env = env
		r.spawn()
		select {
		case <-r.proc.Done():
		case <-time.After(30 * time.Second):
			t.Fatal("it runs without the credential")
		}
		err := r.proc.Wait()
		r.proc = nil
		log, rerr := os.ReadFile(r.log)
		must(t, rerr)
		must(t, os.Remove(r.log))
		if err == nil || err.Error() != "exit status 78" || !strings.Contains(string(log), r.config+":7:") || !strings.Contains(string(log), want) {
			t.Errorf("%v, want %q\n%s", err, want, log)
		}
	}
	refused(nil, "CREDENTIALS_DIRECTORY is not set")
	refused([]string{"CREDENTIALS_DIRECTORY=" + t.TempDir()}, "the unit has no credential rsync.pass")

	r.mustCLI("config", "check") // needs none
	r.env = []string{"CREDENTIALS_DIRECTORY=" + credentials}
	r.start()
	r.flush(30 * time.Second)
	testbed.WaitEqual(t, src, dst, 30*time.Second)
	out, _, code := r.cli("doctor")
	if code != 0 || !strings.Contains(out, "rsync.pass") || strings.Contains(out, "hunter2") {
		t.Errorf("doctor, exit %d:\n%s", code, out)
	}
}
