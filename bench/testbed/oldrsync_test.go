package testbed

import (
	"os/exec"
	"strings"
	"testing"
)

func TestOldRsync(t *testing.T) {
	bin := OldRsync(t)
	out, err := exec.Command(bin, "--version").Output()
	if err != nil || !strings.HasPrefix(string(out), "rsync  version 3.") {
		t.Fatalf("%s: %v %s", bin, err, out)
	}
	if again := OldRsync(t); again != bin {
		t.Errorf("%s, then %s", bin, again)
	}
	RsyncWithout(t, bin, t.TempDir(), "fsync")
}
