package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestManPages: groff and mandoc read them without a warning, and a reader finds
// in them what the program knows.
func TestManPages(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"packaging/man/gorsyncd.8": {"gorsyncd journal inspect", "--state STATE", "EXIT STATUS", "69", "ENVIRONMENT", "FILES",
			"gorsyncd flush /data0/www/www/release --remote 'www/web*'", "rsync://host[:port]/module[/path]"},
		"packaging/man/gorsyncd.yaml.5": {"ssh.identity_file", "guard.max_delete", "(1000)", "EVERY KEY", "- rsync_backup@192.168.222.140::www", `"22:00-06:00"`},
	} {
		page := manOutput(t, "man", "--warnings", "-P", "cat", "-l", file)
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s, as man shows it, lacks %q", file, w)
			}
		}
		if bad := strings.IndexFunc(page, func(r rune) bool { return r < ' ' && r != '\n' || r == 0xfffd }); bad >= 0 {
			t.Errorf("%s: a control character in %q", file, page[max(0, bad-30):bad])
		}
		manOutput(t, "mandoc", "-T", "lint", "-W", "warning", file)
	}
}

// manOutput is what a formatter says; a warning is a failure.
func manOutput(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=200", "MANROFFSEQ=", "MAN_KEEP_FORMATTING=", "TERM=dumb")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil || errOut.Len() > 0 {
		t.Errorf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, errOut.String(), lintLines(out.String()))
	}
	return out.String()
}

func lintLines(s string) string { return s[:min(len(s), 2000)] }
