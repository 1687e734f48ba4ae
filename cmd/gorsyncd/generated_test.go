package main

//go:generate env GORSYNCD_GENERATE=1 go test -count=1 -run ^TestGenerated$ .

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/manual"
)

// TestGenerated: what is made of the definition of the command line, of the guides
// and of the types is as it would be made now. With GORSYNCD_GENERATE it is
// written, which is what `go generate` does.
func TestGenerated(t *testing.T) {
	files := map[string][]byte{}
	for _, o := range outputs {
		text, err := outputSchema(o.title, o.types)
		if err != nil {
			t.Fatal(err)
		}
		files["docs/schema/"+o.file+".json"] = text
	}
	maps.Copy(files, manuals(t))
	api, err := openAPI(fakeRoutes())
	if err != nil {
		t.Fatal(err)
	}
	files["docs/openapi.json"] = api
	if os.Getenv("GORSYNCD_GENERATE") != "" {
		write(t, files)
		return
	}
	for name, want := range files {
		if have, err := os.ReadFile(name); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not current (%v): go generate ./cmd/gorsyncd", name, err)
		}
	}
	present, err := filepath.Glob("docs/schema/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range present {
		if files[name] == nil {
			t.Errorf("nothing generates %s", name)
		}
	}
}

// manuals are the command reference and the man pages.
func manuals(t *testing.T) map[string][]byte {
	t.Helper()
	var exits []manual.Exit
	for _, e := range exitMeanings {
		exits = append(exits, manual.Exit{Code: e.code, What: e.what})
	}
	reference, err := manual.Reference(newApp(io.Discard, io.Discard).cli, exits, readDoc(t, "packaging/man/reference.md"))
	if err != nil {
		t.Fatal(err)
	}
	commands := manual.Page{Name: "gorsyncd", Section: 8, Title: "gorsyncd", Summary: "keep rsync remotes equal to watched directory trees",
		SeeAlso: "**gorsyncd.yaml**(5), **rsync**(1), **rsyncd.conf**(5), **ssh**(1), **systemctl**(1). The guides: `gorsyncd docs`."}
	keys := manual.Page{Name: "gorsyncd.yaml", Section: 5, Title: "gorsyncd", Summary: "configuration of gorsyncd",
		SeeAlso: "**gorsyncd**(8), **rsync**(1), **inotify**(7), **fanotify**(7)."}
	guide := readDoc(t, "docs/config.md") + "\n## Every key\n\n```yaml\n" + config.Reference + "```\n"
	return map[string][]byte{
		"docs/cli.md":                   []byte(reference),
		"packaging/man/gorsyncd.8":      dated(commands, "packaging/man/gorsyncd.8", reference),
		"packaging/man/gorsyncd.yaml.5": dated(keys, "packaging/man/gorsyncd.yaml.5", guide),
	}
}

// dated is the page with the day on which it last changed.
func dated(p manual.Page, file, md string) []byte {
	p.Date = time.Now().UTC().Format(time.DateOnly)
	have, err := os.ReadFile(file)
	if m := regexp.MustCompile(`(?m)^\.TH \S+ \d "([0-9-]+)"`).FindSubmatch(have); err == nil && m != nil {
		old := p
		old.Date = string(m[1])
		if text := []byte(old.Roff(md)); bytes.Equal(text, have) {
			return text
		}
	}
	return []byte(p.Roff(md))
}

func write(t *testing.T, files map[string][]byte) {
	t.Helper()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
