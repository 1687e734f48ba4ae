package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/doctor"
)

// exposure is what systemd-analyze may find at most, in tenths: up to 4.9 is OK.
const exposure = "35"

// placeUnit puts a unit of the packages where systemd-analyze finds it, with the
// built program in it, and drop-ins; it returns its path.
func placeUnit(t *testing.T, file string, dropIns map[string]string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "packaging", "systemd", file))
	must(t, err)
	text := strings.ReplaceAll(string(b), "/usr/bin/gorsyncd", binary)
	if strings.Count(text, binary) < 2 {
		t.Fatalf("%s does not start /usr/bin/gorsyncd:\n%s", file, b)
	}
	unit := filepath.Join(t.TempDir(), "gorsyncd.service")
	must(t, os.WriteFile(unit, []byte(text), 0o644))
	for name, text := range dropIns {
		write(t, filepath.Join(unit+".d", name), text)
	}
	return unit
}

// analyze runs systemd-analyze, which must have nothing to say.
func analyze(t *testing.T, args ...string) {
	t.Helper()
	if out, err := tryAnalyze(t, args...); err != nil || out != "" {
		t.Errorf("systemd-analyze %q: %v\n%s", args, err, out)
	}
}

func tryAnalyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir(), "SYSTEMD_LOG_COLOR=0")
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	err := cmd.Run()
	return errOut.String(), err
}

// TestUnits: systemd knows all that stands in the units of the packages, also with
// the drop-in for local targets, the shipped one and that of doctor's, and finds
// the service confined.
func TestUnits(t *testing.T) {
	t.Parallel()
	shipped, err := os.ReadFile("../packaging/systemd/local-targets.conf")
	must(t, err)
	for name, dropIn := range map[string]map[string]string{
		"plain": nil, "local targets": {"local-targets.conf": string(shipped)},
		"doctor": {"local-targets.conf": doctor.DropIn([]string{"/backup", `/srv/50% "of" \it`, "/ü\tx"})},
	} {
		t.Run(name, func(t *testing.T) {
			unit := placeUnit(t, "gorsyncd.service", dropIn)
			analyze(t, "verify", "--man=no", unit)
			if out, err := tryAnalyze(t, "security", "--offline=true", "--no-pager", "--threshold="+exposure, unit); err != nil {
				t.Errorf("exposure: %v\n%s", err, out)
			}
		})
	}
	t.Run("user", func(t *testing.T) {
		analyze(t, "--user", "verify", "--man=no", placeUnit(t, "gorsyncd-user.service", nil))
	})
	t.Run("mistake", func(t *testing.T) { // the test above can fail
		unit := placeUnit(t, "gorsyncd.service", map[string]string{"x.conf": "[Service]\nWatchdogSeconds=60\nProtectSystem=no\n"})
		if out, _ := tryAnalyze(t, "verify", "--man=no", unit); !strings.Contains(out, "WatchdogSeconds") {
			t.Errorf("verify: %q", out)
		}
		unit = placeUnit(t, "gorsyncd.service", map[string]string{"x.conf": "[Service]\nProtectSystem=no\nNoNewPrivileges=no\nCapabilityBoundingSet=~CAP_LEASE\nSystemCallFilter=\n"})
		if _, err := tryAnalyze(t, "security", "--offline=true", "--no-pager", "--threshold="+exposure, unit); err == nil {
			t.Error("an open unit passes")
		}
	})
}

// TestSysctls: each line is a limit of inotify that this kernel knows.
func TestSysctls(t *testing.T) {
	b, err := os.ReadFile("../packaging/sysctl.d/gorsyncd.conf")
	must(t, err)
	n := 0
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		m := regexp.MustCompile(`^(fs\.inotify\.max_[a-z_]+) = ([1-9]\d+)$`).FindStringSubmatch(line)
		if m == nil {
			t.Errorf("%q is no setting", line)
			continue
		}
		n++
		if _, err := os.Stat("/proc/sys/" + strings.ReplaceAll(m[1], ".", "/")); err != nil {
			t.Error(err)
		}
	}
	if n != 3 {
		t.Errorf("%d settings", n)
	}
}
