package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/doctor"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/shape"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// outputs are the documents that commands print with --json: the file of its
// schema below docs/schema, what it is made of, and command lines that print it.
// Each line of what they print is one document. A command line that begins with
// "api " is answered by the stand-in of a daemon.
var outputs = []struct {
	file, title string
	types       []any
	lines       []string
}{
	{"status", "gorsyncd status --json, and each line of status --watch --json", []any{status.Status{}}, []string{"api status", "status"}},
	{"check", "gorsyncd check --json", []any{monitorReport{}}, []string{"api check", "check"}},
	{"doctor", "gorsyncd doctor --json", []any{[]doctor.Finding{}}, []string{"doctor"}},
	{"explain", "gorsyncd explain --json", []any{control.Explanation{}},
		[]string{"api explain /www/delivered", "api explain /www/failing", "api explain /www/cache/x", "api explain /www/queued"}},
	{"flush", "Each line of gorsyncd flush --json", []any{control.FlushProgress{}, flushed{}}, []string{"api flush -r www/web1", "api flush"}},
	{"sync", "Each line of gorsyncd sync --json", []any{control.SyncProgress{}}, []string{"api sync", "api sync --dry-run"}},
	{"verify", "Each line of gorsyncd verify --json", []any{control.VerifyLine{}, verifySummary{}}, []string{"api verify", "api verify --checksum --repair"}},
	{"affected", "gorsyncd retry, pause, resume and approve with --json", []any{affected{}},
		[]string{"api retry", "api pause www/nas", "api resume www", "api approve www/nas"}},
	{"reload", "gorsyncd reload --json", []any{control.ReloadResult{}}, []string{"api reload"}},
	{"journal-inspect", "Each line of gorsyncd journal inspect --json", []any{control.Row{}}, []string{"api journal inspect", "journal inspect"}},
	{"journal-stats", "gorsyncd journal stats --json", []any{control.JournalStats{}}, []string{"api journal stats", "journal stats"}},
	{"journal-check", "gorsyncd journal check --json", []any{control.JournalReport{}}, []string{"api journal check", "journal check"}},
	{"events", "Each line of gorsyncd events --json and journal tail --json", []any{events.Line{}}, []string{"api events", "api events --from 1", "events", "api journal tail", "journal tail"}},
	{"report", "gorsyncd report --json", []any{control.Report{}}, []string{"api report", "report"}},
	{"replay", "Each line of gorsyncd replay --json", []any{control.ReplayLine{}},
		[]string{"api replay www/nas --from 5", "api replay www/web1 --from 5 --dry-run", "api replay www/nas --from 5 --path remade"}},
	{"journal-compact", "gorsyncd journal compact --json", []any{control.JournalCompacted{}}, []string{"api journal compact"}},
	{"config-check", "gorsyncd config check --json", []any{configReport{}}, []string{"config check", "config check -c bad.yaml"}},
	{"config", "gorsyncd config show, init --print and init --reference with --json", []any{configText{}},
		[]string{"config show", "api config show --running", "init --print /a h::m", "init --reference"}},
	{"import", "gorsyncd config import-sersync and import-lsyncd with --json", []any{imported{}},
		[]string{"config import-sersync confxml.xml", "config import-lsyncd lsyncd.lua"}},
	{"init", "gorsyncd init --json", []any{initialised{}}, []string{"init -c new.yaml /a h::m"}},
	{"notify-test", "gorsyncd notify test --json", []any{notifyReport{}}, []string{"notify test -c notify.yaml"}},
	{"docs", "gorsyncd docs --json", []any{[]doc{}}, []string{"docs"}},
	{"docs-text", "gorsyncd docs NAME --json", []any{docText{}}, []string{"docs errors", "docs schema/status"}},
	{"completion", "gorsyncd completion --json", []any{completionScript{}}, []string{"completion zsh"}},
	{"version", "gorsyncd version --json", []any{versionReport{}}, []string{"version"}},
	{"run-detach", "gorsyncd run --detach --json", []any{detached{}}, nil}, // checked in e2e
	{"error", "What every command prints on standard error with --json when it fails", []any{control.ErrorDocument{}},
		[]string{"stauts", "status nobody", "flush", "api flush -r nobody", "run -c bad.yaml", "explain", "api explain /elsewhere"}},
}

// noSchema are commands without a document of their own.
var noSchema = map[string]string{
	"config schema": "it prints a schema",
}

func outputSchema(title string, types []any) ([]byte, error) {
	s, err := shape.New("gorsyncd", "../..").Schema(types...)
	if err != nil {
		return nil, err
	}
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = title
	s["$comment"] = "Keys may be added. Ignore those you do not know, and take an unknown exit status for a failure."
	return indented(s)
}

func indented(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(v)
	return out.Bytes(), err
}

// strict is the schema of a file below docs/schema.
func strict(t *testing.T, file string) *shape.Checker {
	t.Helper()
	text, err := docs.ReadFile("docs/schema/" + file + ".json")
	if err != nil {
		t.Fatalf("%v: go generate ./cmd/gorsyncd", err)
	}
	s, err := shape.NewStrict(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestJSONIsAsItsSchemaSays runs every command with --json.
func TestJSONIsAsItsSchemaSays(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"g.yaml": "sources: [{path: " + dir + "/www, name: www, remotes: [/nonexistent/nas]}]\n", "bad.yaml": "sources: what\n",
		"notify.yaml": "sources: [{path: " + dir + "/www, name: www, remotes: [/nonexistent/nas]}]\nnotify: [{command: ['true']}, {name: none, command: [/nonexistent/program]}]\n",
		"confxml.xml": `<head><sersync><localpath watch="/data/www"><remote ip="h" name="m"/></localpath></sersync></head>`,
		"lsyncd.lua":  `sync{default.rsync, source="/data/www", target="h::m"}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []string{"LOG_LEVEL", "LOG_FORMAT", "LOG_FILE"} {
		t.Setenv("GORSYNCD_"+v, "")
	}
	t.Setenv("GORSYNCD_CONFIG", "g.yaml")
	t.Setenv("GORSYNCD_STATE_DIR", dir+"/state")
	t.Setenv("GORSYNCD_SOCKET", dir+"/none")
	sock := serveInProcess(t)
	for _, o := range outputs {
		s := strict(t, o.file)
		for _, line := range o.lines {
			var out, errOut bytes.Buffer
			args := strings.Fields(line)
			if args[0] == "api" {
				args = append(args[1:], "--socket", sock)
			}
			code := newApp(&out, &errOut).run(append(args, "--json"))
			printed := out.String()
			if o.file == "error" {
				if code == 0 || code == 2 {
					t.Errorf("%s: exit %d", line, code)
				}
				printed = errOut.String()
			}
			if strings.TrimSpace(printed) == "" && line != "journal inspect" && line != "events" && line != "journal tail" {
				t.Errorf("%s --json prints nothing: exit %d, %s", line, code, errOut.String())
			}
			if err := s.Lines(printed); err != nil {
				t.Errorf("%s --json: %v", line, err)
			}
		}
	}
}

// serveInProcess answers as fakeAPI does.
func serveInProcess(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "grs") // paths of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	sock := filepath.Join(dir, "s")
	s, err := control.Listen(config.Socket{Path: sock, Mode: 0o600}, fakeAPI{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return sock
}

// TestEveryCommandHasASchema: a command whose --json nobody described.
func TestEveryCommandHasASchema(t *testing.T) {
	described := map[string]bool{"run": true}
	for line := range noSchema {
		described[line] = true
	}
	for _, o := range outputs {
		for _, line := range o.lines {
			line = strings.TrimPrefix(line, "api ")
			words := strings.Fields(line)
			for n := 1; n <= len(words); n++ {
				described[strings.Join(words[:n], " ")] = true
			}
		}
	}
	for _, c := range leaves(newApp(&bytes.Buffer{}, &bytes.Buffer{}).cli.Commands, nil) {
		if path := strings.Join(c.path, " "); !described[path] {
			t.Errorf("gorsyncd %s --json: no row in outputs, so no schema", path)
		}
	}
}

type leaf struct {
	path []string
	cmd  *cli.Command
}

// leaves are the commands that do something.
func leaves(cmds []*cli.Command, prefix []string) []leaf {
	var out []leaf
	for _, c := range cmds {
		path := append(prefix[:len(prefix):len(prefix)], c.Name)
		if len(c.Subcommands) == 0 {
			out = append(out, leaf{path, c})
		}
		out = append(out, leaves(c.Subcommands, path)...)
	}
	return out
}

// TestSchemasRefuse: a schema that takes anything proves nothing.
func TestSchemasRefuse(t *testing.T) {
	for _, o := range outputs {
		s := strict(t, o.file)
		for _, document := range []string{`{"unknown":1}`, `null`, `[null]`, `"text"`} {
			if s.Lines(document) == nil {
				t.Errorf("the schema of %s takes %s", o.file, document)
			}
		}
	}
}
