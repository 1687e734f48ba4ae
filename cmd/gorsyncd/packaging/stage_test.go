// Package packaging tests what the packages hold. Making and installing them takes
// minutes: see packages_test.go.
package packaging

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return string(b)
}

// inPackage are files of the deb with their modes, but for the guides and schemas.
var inPackage = map[string]fs.FileMode{
	"usr/bin/gorsyncd":                                  0o755,
	"usr/lib/systemd/system/gorsyncd.service":           0o644,
	"usr/lib/systemd/user/gorsyncd.service":             0o644,
	"usr/lib/sysctl.d/30-gorsyncd.conf":                 0o644,
	"usr/share/man/man8/gorsyncd.8.gz":                  0o644,
	"usr/share/man/man5/gorsyncd.yaml.5.gz":             0o644,
	"usr/share/bash-completion/completions/gorsyncd":    0o644,
	"usr/share/zsh/vendor-completions/_gorsyncd":        0o644,
	"usr/share/fish/vendor_completions.d/gorsyncd.fish": 0o644,
	"usr/share/gorsyncd/gorsyncd.schema.json":           0o644,
	"usr/share/gorsyncd/schema/status.json":             0o644,
	"usr/share/gorsyncd/contrib/prometheus/alerts.yaml": 0o644,
	"usr/share/gorsyncd/contrib/grafana/dashboard.json": 0o644,
	"usr/share/gorsyncd/contrib/zabbix/template.yaml":   0o644,
	"usr/share/doc/gorsyncd/docs/monitoring.md":         0o644,
	"usr/share/doc/gorsyncd/README.md":                  0o644,
	"usr/share/doc/gorsyncd/docs/errors.md":             0o644,
	"usr/share/doc/gorsyncd/copyright":                  0o644,
	"usr/share/doc/gorsyncd/changelog.Debian.gz":        0o644,
	"usr/share/lintian/overrides/gorsyncd":              0o644,
}

// TestStage lays what is to be packaged and looks at it.
func TestStage(t *testing.T) {
	out := t.TempDir()
	if text, err := exec.Command("./build", "v1.2-3-gabc", out, "-stage").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	root := filepath.Join(out, "stage-deb")
	for name, mode := range inPackage {
		fi, err := os.Stat(filepath.Join(root, name))
		if err != nil || fi.Mode() != mode {
			t.Errorf("%s: %v %v, want the mode %v", name, fi, err, mode)
		}
	}
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if fi, err := os.Lstat(path); err != nil || fi.Mode().Perm()&0o022 != 0 || fi.Size() == 0 || fi.Mode()&fs.ModeSymlink != 0 {
			t.Errorf("%s: %v %v", path, fi, err)
		}
		return err
	}))
	binary := filepath.Join(root, "usr/bin/gorsyncd")
	if v, err := exec.Command(binary, "version").CombinedOutput(); err != nil || !strings.HasPrefix(string(v), "gorsyncd v1.2-3-gabc ") {
		t.Errorf("version: %v %s", err, v)
	}
	schema, err := exec.Command(binary, "config", "schema").Output()
	if err != nil || !json.Valid(schema) || string(schema) != read(t, filepath.Join(root, "usr/share/gorsyncd/gorsyncd.schema.json")) {
		t.Errorf("the schema is not that of the program: %v", err)
	}
	if page := gunzip(t, filepath.Join(root, "usr/share/man/man8/gorsyncd.8.gz")); page != read(t, "man/gorsyncd.8") {
		t.Error("the man page is another one")
	}
	if log := gunzip(t, filepath.Join(root, "usr/share/doc/gorsyncd/changelog.Debian.gz")); !strings.HasPrefix(log, "gorsyncd (1.2+3.gabc-1) ") {
		t.Errorf("changelog: %s", log)
	}
	for _, text := range []string{"github.com/dgraph-io/badger/v4@v4", "Apache License", "Go: LICENSE", "Redistribution and use"} {
		if !strings.Contains(read(t, filepath.Join(root, "usr/share/doc/gorsyncd/copyright")), text) {
			t.Errorf("the licences of what is linked in lack %q", text)
		}
	}
	checkExample(t, binary)
}

func gunzip(t *testing.T, name string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(read(t, name)))
	must(t, err)
	var b bytes.Buffer
	_, err = b.ReadFrom(z)
	must(t, err)
	return b.String()
}

// checkExample: the configuration does nothing as it is installed, and is valid
// once its lines are no comments any more.
func checkExample(t *testing.T, binary string) {
	out, err := exec.Command(binary, "config", "check", "-c", "etc/gorsyncd.yaml").CombinedOutput()
	if code := err.(*exec.ExitError).ExitCode(); code != 78 {
		t.Errorf("the installed configuration as it is: exit %d\n%s", code, out)
	}
	head, body, ok := strings.Cut(read(t, "etc/gorsyncd.yaml"), "\n\n")
	if !ok || strings.Trim(regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(head+body, ""), "\n") != "" {
		t.Error("something in it is no comment")
	}
	edited := filepath.Join(t.TempDir(), "gorsyncd.yaml")
	must(t, os.WriteFile(edited, []byte(regexp.MustCompile(`(?m)^#([a-z]|  )`).ReplaceAllString(body, "$1")), 0o600))
	if out, err := exec.Command(binary, "config", "check", "-c", edited).CombinedOutput(); err != nil || !strings.Contains(string(out), "1 source, 2 remotes") {
		t.Errorf("without the comments: %v\n%s", err, out)
	}
}

// TestScriptsAreShell: what runs as root on other machines has no slip in its syntax.
func TestScriptsAreShell(t *testing.T) {
	files, err := filepath.Glob("[dr]*/*")
	must(t, err)
	if len(files) < 7 {
		t.Fatalf("only %q", files)
	}
	for _, f := range append(files, "build", "copyright") {
		if strings.HasSuffix(f, "overrides") {
			continue
		}
		if out, err := exec.Command("sh", "-n", f).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", f, err, out)
		}
	}
}
