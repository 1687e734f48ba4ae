package config

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

var goodArgs = []string{
	"-A", "-X", "-aAX", "-S", "-c", "-W", "-B2048", "-M--fake-super", "--remote-option=--fake-super",
	"--chown=www:www", "--chmod=D755,F644", "--no-o", "--no-g", "--no-perms", "--inplace", "--mkpath",
	"--rsync-path=sudo rsync", "--temp-dir=/tmp", "-T/tmp", "--numeric-ids", "-4", "--xattrs",
}

func TestGoodArgs(t *testing.T) {
	for _, arg := range goodArgs {
		if err := CheckRsyncArg(arg); err != nil {
			t.Errorf("%s: %v", arg, err)
		}
		// The installed rsync must know it too, else the list is wrong.
		out, err := exec.Command("rsync", arg, "--list-only", "/dev/null").CombinedOutput()
		if errors.Is(err, exec.ErrNotFound) || strings.Contains(string(out), "unknown option") {
			t.Errorf("rsync does not know %s: %v %s", arg, err, out)
		}
	}
}

func TestRefusedArgs(t *testing.T) {
	for _, arg := range []string{
		"", "-", "--", "x", "/etc/passwd", "host:/path", "-r", "-avz", "-aXn", "-Rq", "--recursive", "--no-recursive",
		"--delete", "--delete-after", "--del", "--no-delete", "--files-from=/x", "--from0", "--no-from0", "-0",
		"-n", "--dry-run", "--no-n", "-e", "-essh", "--rsh=ssh", "--exclude=x", "-f- x", "-FF", "--password-file=/x",
		"--timeout=1", "--bwlimit=1", "-z", "--compress", "--out-format=x", "-i", "-u", "--existing", "--size-only",
		"-L", "--copy-links", "--version", "-V", "--help", "-h", "--list-only", "--daemon", "--server", "-M", "-T",
		"-M--delete", "-Mx", "--remote-option=-n", "--chown", "--partial", "--stderr=client", "--fsync", "--no-fsync", "-m", "--no-l",
		"--remove-source-files", "--max-delete=1", "--write-batch=x", "--stop-after=1", "--compare-dest=/x", "-s",
		"--insecure-links", "--no-insecure-links", "--confine-root=/",
	} {
		if err := CheckRsyncArg(arg); err == nil {
			t.Errorf("%q was accepted", arg)
		}
	}
}

// TestRefusedArgsHaveReasons: an empty reason would be an accepted argument.
func TestRefusedArgsHaveReasons(t *testing.T) {
	for arg, why := range refusedArgs {
		if why == "" || CheckRsyncArg(arg) == nil {
			t.Errorf("%s: reason %q", arg, why)
		}
	}
}

func TestSSHOptions(t *testing.T) {
	for _, good := range []string{"Compression=no", "ProxyJump=bastion", "Ciphers=a,b", "stricthostkeychecking=accept-new"} {
		if err := checkSSHOption(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "x", "=x", "X=", "-oX=y", "StrictHostKeyChecking=no", "stricthostkeychecking=OFF", "BatchMode=no", "A=b\nProxyCommand=c", "A B=c"} {
		if err := checkSSHOption(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
