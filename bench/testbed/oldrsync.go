package testbed

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// OldRsync is the path of an rsync from before 3.4, as distributions still ship
// it. On Debian, as root, it is fetched from the archive once and unpacked in
// the user's cache directory; elsewhere, or when the archive has none, the test
// fails and says what is missing.
func OldRsync(tb testing.TB) string {
	tb.Helper()
	bin, err := oldRsync()
	if err != nil {
		tb.Fatalf("an old rsync is needed: %v", err)
	}
	return bin
}

// FindOldRsync is OldRsync outside of a test.
func FindOldRsync() (string, error) { return oldRsync() }

var oldRsync = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory: %w", err)
	}
	dir := filepath.Join(cache, "gorsyncd-testbed", "rsync-old")
	bin := filepath.Join(dir, "usr/bin/rsync")
	if err := fetchOldRsync(dir, bin); err != nil {
		return "", err
	}
	out, err := exec.Command(bin, "--version").Output()
	if err != nil || !oldVersion.Match(out) {
		return "", fmt.Errorf("%s is no rsync before 3.4 (%w): remove %s and try again", bin, errors.Join(err, errors.New(firstLine(out))), dir)
	}
	return bin, nil
})

var oldVersion = regexp.MustCompile(`^rsync +version v?3\.[0-3]\.`)

func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return string(line)
}

// fetchOldRsync downloads and unpacks the package, unless that was done before.
// The directory gets its name when all is in it, so that neither a crash nor
// another test at the same time leaves a half of it.
func fetchOldRsync(dir, bin string) error {
	if _, err := os.Stat(bin); err == nil {
		return nil
	}
	if os.Geteuid() != 0 {
		return errors.New("fetching it from the Debian archive takes root")
	}
	version, err := archivedRsync()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make cache directory: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "fetch")
	if err != nil {
		return fmt.Errorf("make cache directory: %w", err)
	}
	defer os.RemoveAll(tmp)
	get := exec.Command("apt-get", "-o", "APT::Sandbox::User=root", "download", "rsync="+version)
	get.Dir = tmp
	if out, err := get.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get download rsync=%s: %w (is the package list current? apt-get update)\n%s", version, err, out)
	}
	debs, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get download rsync=%s left %v", version, debs)
	}
	root := filepath.Join(tmp, "root")
	if out, err := exec.Command("dpkg-deb", "-x", debs[0], root).CombinedOutput(); err != nil {
		return fmt.Errorf("dpkg-deb -x %s: %w\n%s", debs[0], err, out)
	}
	if err := os.Rename(root, dir); err != nil {
		if _, there := os.Stat(bin); there != nil {
			return fmt.Errorf("put the old rsync in place: %w", err)
		}
	}
	return nil
}

// archivedRsync finds the version before 3.4 that the archive has.
func archivedRsync() (string, error) {
	out, err := exec.Command("apt-cache", "madison", "rsync").Output()
	if err != nil {
		return "", fmt.Errorf("apt-cache madison rsync: %w (the old rsync comes from the archive of Debian 12)", err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Split(line, "|"); len(f) == 3 && strings.Contains(f[2], "Packages") {
			if v := strings.TrimSpace(f[1]); regexp.MustCompile(`^3\.[0-3]\.`).MatchString(v) {
				return v, nil
			}
		}
	}
	return "", fmt.Errorf("the package lists have no rsync before 3.4 (Debian 12 has 3.2.7; apt-get update refreshes them):\n%s", out)
}

// RsyncWithout writes a copy of an rsync to dir that does not know the long
// option name, as versions from before its introduction do not.
func RsyncWithout(tb testing.TB, rsync, dir, name string) string {
	tb.Helper()
	bin := filepath.Join(dir, "rsync-without-"+name)
	if err := withoutOption(rsync, bin, name); err != nil {
		tb.Fatalf("make an rsync without --%s: %v", name, err)
	}
	return bin
}

// withoutOption changes the name of the option in the table of the program's
// constants; the function of the same name stays.
func withoutOption(rsync, bin, name string) error {
	image, err := os.ReadFile(rsync)
	if err != nil {
		return err
	}
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return err
	}
	defer f.Close()
	s := f.Section(".rodata")
	if s == nil {
		return errors.New("it has no constants")
	}
	// Linkers keep a string that ends another one (no-NAME) only once.
	constants := image[s.Offset : s.Offset+s.Size]
	for at := 0; ; {
		i := bytes.Index(constants[at:], []byte(name+"\x00"))
		if i < 0 {
			break
		}
		constants[at+i] = '='
		at += i
	}
	if err := os.WriteFile(bin, image, 0o755); err != nil {
		return err
	}
	out, err := exec.Command(bin, "--"+name, "--version").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--"+name+": unknown option") {
		return fmt.Errorf("it still knows the option: %v\n%s", err, out)
	}
	return nil
}
