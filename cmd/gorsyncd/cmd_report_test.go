package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/control"
)

// TestReportPage: to a file, to standard output, over what is there, and only where
// it makes sense.
func TestReportPage(t *testing.T) {
	sock := serveInProcess(t)
	run := func(args ...string) (code int, out, errOut string) {
		var o, e bytes.Buffer
		code = newApp(&o, &e).run(append([]string{"report", "--socket", sock, "--since", "30d"}, args...))
		return code, o.String(), e.String()
	}
	isPage := func(s string) bool {
		return strings.HasPrefix(s, "<!DOCTYPE html>") && strings.HasSuffix(s, "</html>\n") && strings.Contains(s, "www/nas")
	}
	if code, out, errOut := run("--html", "-"); code != 0 || !isPage(out) || errOut != "" {
		t.Errorf("exit %d, %q, %.200s", code, errOut, out)
	}
	if code, out, _ := run("--html", "-", "--lang", "zh"); code != 0 || !strings.Contains(out, `lang="zh-CN"`) {
		t.Errorf("exit %d, %.200s", code, out)
	}
	dir := t.TempDir()
	file, link := filepath.Join(dir, "报表.html"), filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, link} {
		code, out, errOut := run("--html", name)
		page, err := os.ReadFile(file)
		if code != 0 || out != "" || errOut != "the report is in "+name+"\n" || err != nil || !isPage(string(page)) {
			t.Errorf("exit %d, %q, %q, %v", code, out, errOut, err)
		}
		if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if fi, err := os.Lstat(link); err != nil || fi.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link was replaced: %v %v", fi, err)
	}
	if code, _, errOut := run("--html", "/dev/null"); code != 0 {
		t.Errorf("exit %d, %s", code, errOut)
	}
	if fi, err := os.Stat("/dev/null"); err != nil || fi.Mode().IsRegular() {
		t.Fatalf("/dev/null: %v %v", fi, err)
	}
	if code, _, errOut := run("--html", filepath.Join(dir, "no", "file")); code != control.ExitError || !strings.Contains(errOut, "no such file or directory") {
		t.Errorf("exit %d, %s", code, errOut)
	}
	if left, err := filepath.Glob(dir + "/.gorsyncd*"); err != nil || len(left) > 0 {
		t.Errorf("%q is left, %v", left, err)
	}
	for _, args := range [][]string{{"--html", "-", "--json"}, {"--lang", "zh"}, {"--html", "-", "--lang", "xx"}, {"--html", ""}, {"--spans"}} {
		if code, out, _ := run(args...); code != control.ExitUsage || out != "" {
			t.Errorf("%v: exit %d", args, code)
		}
	}
}
