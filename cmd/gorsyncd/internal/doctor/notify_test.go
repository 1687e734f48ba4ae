package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// TestNotifiers: files and programs that are not as they have to be, without what is
// in them.
func TestNotifiers(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"good": 0o600, "open": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("https://h/SECRETTOKEN"), mode); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Parse("x", []byte(strings.ReplaceAll(`
sources: [{path: /a, remotes: ["h::m"]}]
notify:
  - {name: good, webhook: {url_file: DIR/good}}
  - {name: open, webhook: {url_file: DIR/open}}
  - {name: none, webhook: {url_file: DIR/none}}
  - {name: ca, webhook: {url_file: DIR/good, ca_file: DIR/good}}
  - {name: prog, command: [/nonexistent/program]}
  - {name: sh, command: [sh]}
  - {name: service, webhook: {url_file: "credential:hook"}}
`, "DIR", dir)), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range notifiers(c, Options{}) {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Level, f.About, f.ID)))
		if strings.Contains(f.Text+f.Remedy, "SECRETTOKEN") || f.Level == Fail && f.Remedy == "" {
			t.Errorf("%+v", f)
		}
	}
	want := "ok notify good\nfail notify open E-NOTIFY-SECRET\nfail notify none E-NOTIFY-SECRET\nfail notify ca E-NOTIFY-SECRET\nfail notify prog E-NOTIFY-EXEC\nok notify sh\nwarn notify service"
	if strings.Join(got, "\n") != want {
		t.Errorf("%s\nwant:\n%s", strings.Join(got, "\n"), want)
	}
}
