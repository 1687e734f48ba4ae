package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/journald"
)

func readDoc(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestEveryErrorIDIsDocumented takes the ids from the source, so that a new one
// cannot be forgotten.
func TestEveryErrorIDIsDocumented(t *testing.T) {
	doc := readDoc(t, "docs/errors.md")
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### (\S+)$`).FindAllStringSubmatch(doc, -1) {
		if documented[m[1]] {
			t.Errorf("%s has two headings", m[1])
		}
		documented[m[1]] = true
	}
	var files []string
	for _, dir := range []string{"../../replicate", "internal/daemon", "internal/sink", "internal/notify/channel"} {
		some, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, some...)
	}
	used := map[string]bool{}
	id := regexp.MustCompile(`"([EGW]-[A-Z0-9]+(?:-[A-Z0-9]+)*)"`)
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		for _, m := range id.FindAllStringSubmatch(readDoc(t, f), -1) {
			used[m[1]] = true
		}
	}
	if len(used) < 10 {
		t.Fatalf("only %d error ids found in %d files", len(used), len(files))
	}
	for id := range used {
		if !documented[id] {
			t.Errorf("%s has no heading in docs/errors.md", id)
		}
	}
	for id := range documented {
		if !used[id] {
			t.Errorf("docs/errors.md describes %s, which nothing reports", id)
		}
	}
}

func TestErrorSectionsAreComplete(t *testing.T) {
	for _, section := range regexp.MustCompile(`(?m)^#+ `).Split(readDoc(t, "docs/errors.md"), -1) {
		name, _, _ := strings.Cut(section, "\n")
		if !strings.HasPrefix(name, "E-") && !strings.HasPrefix(name, "G-") && !strings.HasPrefix(name, "W-") {
			continue
		}
		if !regexp.MustCompile(`\nClass: (transient|config|entry|held|finding)\. \S`).MatchString(section) || !strings.Contains(section, "**Remedy.** ") {
			t.Errorf("%s lacks its class or its remedy", name)
		}
	}
}

func TestEveryKeyOfASinkIsDocumentedWithItsDefault(t *testing.T) {
	doc := readDoc(t, "docs/sinks.md")
	known := map[string]bool{"name": true}
	for _, k := range config.SinkKeys() {
		known[k.Path] = true
		if row := fmt.Sprintf("| `%s` | `%s` | ", k.Path, k.Default); strings.Count(doc, row) != 1 {
			t.Errorf("docs/sinks.md lacks the row %s", row)
		}
	}
	settings, _, _ := strings.Cut(doc, "## Commands")
	for _, r := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|").FindAllStringSubmatch(settings, -1) {
		if !known[r[1]] {
			t.Errorf("docs/sinks.md describes %s, which is no key", r[1])
		}
	}
}

func TestEveryKeyOfANotifierIsDocumentedWithItsDefault(t *testing.T) {
	doc := readDoc(t, "docs/notifications.md")
	known := map[string]bool{"name": true}
	for _, k := range config.NotifyKeys() {
		known[k.Path] = true
		if row := fmt.Sprintf("| `%s` | `%s` | ", k.Path, k.Default); strings.Count(doc, row) != 1 {
			t.Errorf("docs/notifications.md lacks the row %s", row)
		}
		leaf := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
		if !strings.Contains(config.Reference, leaf+":") {
			t.Errorf("reference.yaml lacks %s", k.Path)
		}
	}
	for _, r := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|").FindAllStringSubmatch(doc, -1) {
		if !known[r[1]] {
			t.Errorf("docs/notifications.md describes %s, which is no key", r[1])
		}
	}
	for _, b := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(doc, -1) {
		text := "sources: [{path: /data0/www/www, remotes: ['nas::www']}]\n" + b[1]
		if _, err := config.Parse("example", []byte(text), config.Options{}); err != nil {
			t.Errorf("%v\n%s", err, b[1])
		}
	}
}

func TestEverySettingIsDocumentedWithItsDefault(t *testing.T) {
	doc := readDoc(t, "docs/config.md")
	for _, k := range config.Keys() {
		if row := fmt.Sprintf("| `%s` | `%s` | ", k.Path, k.Default); strings.Count(doc, row) != 1 {
			t.Errorf("docs/config.md lacks the row %s", row)
		}
		leaf := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
		if !strings.Contains(config.Reference, leaf+":") {
			t.Errorf("reference.yaml lacks %s", k.Path)
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|").FindAllStringSubmatch(doc, -1)
	known := map[string]bool{}
	for _, k := range config.Keys() {
		known[k.Path] = true
	}
	for _, k := range strings.Fields("sources defaults state_dir socket socket.path socket.group socket.mode journal.retain journal.max_size journal.verify journal.ballast log.level log.format log.file path name remotes sinks target notify") {
		known[k] = true
	}
	for _, r := range rows {
		if !known[r[1]] {
			t.Errorf("docs/config.md describes %s, which is no key", r[1])
		}
	}
}

// TestEveryEventIsDocumented: who waits for a MESSAGE_ID finds what it is.
func TestEveryEventIsDocumented(t *testing.T) {
	doc := readDoc(t, "docs/service.md")
	for _, e := range journald.Events() {
		if row := fmt.Sprintf("| `%s` | %s |", e.ID, e.Message); strings.Count(doc, row) != 1 {
			t.Errorf("docs/service.md lacks the row %s", row)
		}
	}
	if rows := regexp.MustCompile("(?m)^\\| `[0-9a-f]{32}` \\|").FindAllString(doc, -1); len(rows) != len(journald.Events()) {
		t.Errorf("docs/service.md has %d events, the program %d", len(rows), len(journald.Events()))
	}
}

// TestExamplesOfTransports: each configuration in the guide is one.
func TestExamplesOfTransports(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readDoc(t, "docs/transports.md"), -1)
	if len(blocks) < 6 {
		t.Fatalf("only %d examples", len(blocks))
	}
	for _, b := range blocks {
		if _, err := config.Parse("example", []byte(b[1]), config.Options{}); err != nil {
			t.Errorf("%v\n%s", err, b[1])
		}
	}
}
