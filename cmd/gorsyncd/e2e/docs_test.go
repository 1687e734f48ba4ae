package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/markdown"
)

// TestDocs does what the guides say, block by block, as a reader would:
//
//   - `sh` is run and must succeed;
//   - `sh background` is what goes on in a terminal of its own; the next one,
//     and the start of the service, end it first;
//   - `console` has commands behind `$ ` and what they print: numbers may be
//     others, `…` is anything.
//
// testdata/docs/NAME.sh brings about what a section talks of: what follows its
// line `#@ HEADING` is run before the first block under that heading.
// GORSYNCD_UPDATE_DOCS=1 writes what was printed into the guides.
func TestDocs(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root: the guides set up an rsync daemon with use chroot")
	}
	for _, name := range []string{"quickstart", "quickstart.zh-CN", "concepts", "operations", "maintenance", "sinks", "api"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runDoc(t, name)
		})
	}
}

func runDoc(t *testing.T, name string) {
	file := filepath.Join("../docs", name+".md")
	b, err := os.ReadFile(file)
	must(t, err)
	text := string(b)
	before := preparations(t, name)
	w := newDocWorld(t)
	w.prepare(before, "")
	ran := 0
	var updated []update
	for _, block := range markdown.Blocks(text) {
		w.prepare(before, block.Heading)
		w.at = block
		switch block.Info {
		case "sh":
			if out, code := w.sh(block.Text); code != 0 {
				t.Fatalf("%s:%d: exit %d\n%s\n%s", file, block.Line, code, block.Text, out)
			}
		case "sh background":
			w.background(block.Text)
		case "console":
			got := w.console(block.Text)
			updated = append(updated, update{block, got})
		default:
			if block.Lang() == "sh" || block.Lang() == "console" {
				t.Fatalf("%s:%d: what is %q?", file, block.Line, block.Info)
			}
			continue
		}
		ran++
	}
	for heading := range before {
		t.Errorf("testdata/docs/%s.sh prepares %q, under which nothing is run", name, heading)
	}
	if ran < 2 {
		t.Errorf("%s: only %d blocks were run", file, ran)
	}
	if os.Getenv("GORSYNCD_UPDATE_DOCS") != "" {
		lines := strings.SplitAfter(text, "\n")
		for _, u := range slices.Backward(updated) {
			lines = slices.Replace(lines, u.block.Line, u.block.Line+strings.Count(u.block.Text, "\n"), u.text)
		}
		must(t, os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600))
	}
}

// update is what a block is to say.
type update struct {
	block markdown.Block
	text  string
}

// preparations reads testdata/docs/NAME.sh.
func preparations(t *testing.T, name string) map[string]string {
	t.Helper()
	m := map[string]string{}
	b, err := os.ReadFile(filepath.Join("testdata/docs", name+".sh"))
	if errors.Is(err, os.ErrNotExist) {
		return m
	}
	must(t, err)
	parts := strings.Split("\n"+string(b), "\n#@ ")
	m[""] = parts[0]
	for _, part := range parts[1:] {
		heading, script, _ := strings.Cut(part, "\n")
		m[strings.TrimSpace(heading)] = script
	}
	return m
}

func (w *docWorld) prepare(before map[string]string, heading string) {
	w.t.Helper()
	script, ok := before[heading]
	if !ok {
		return
	}
	delete(before, heading)
	if out, code := w.sh(script); code != 0 {
		w.t.Fatalf("preparation of %q: exit %d\n%s\n%s", heading, code, script, out)
	}
}

// sh runs a script of the guide and returns what it printed.
func (w *docWorld) sh(script string) (string, int) {
	w.t.Helper()
	if strings.Contains(script, "systemctl") && strings.Contains(script, "gorsyncd") {
		w.endBackground()
	}
	// A file, as what is left in the background would keep a pipe open.
	out, err := os.CreateTemp(w.dir, "out")
	must(w.t, err)
	defer func() { must(w.t, errors.Join(out.Close(), os.Remove(out.Name()))) }()
	cmd := w.command("set -euo pipefail\n" + w.real(script))
	cmd.Stdout, cmd.Stderr = out, out
	must(w.t, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err = <-done:
	case <-time.After(90 * time.Second):
		must(w.t, cmd.Process.Kill())
		err = <-done
	}
	printed, readErr := os.ReadFile(out.Name())
	must(w.t, readErr)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		must(w.t, err)
	}
	return string(printed), code
}

// console runs a block of commands, compares, and returns the block as it should be.
func (w *docWorld) console(block string) string {
	w.t.Helper()
	var got bytes.Buffer
	last := "0"
	for _, part := range strings.Split("\n"+block, "\n$ ")[1:] {
		command, want, _ := strings.Cut(part, "\n")
		for strings.HasSuffix(command, "\\") {
			var more string
			more, want, _ = strings.Cut(want, "\n")
			command += "\n" + more
		}
		want = strings.TrimSuffix(want, "\n")
		var out string
		if command == "echo $?" {
			out = last
		} else {
			out, last = w.until(command, want)
		}
		out = strings.TrimRight(out, "\n")
		equal := w.matches(out, want)
		if command == "echo $?" {
			equal = out == want
		}
		if !equal && os.Getenv("GORSYNCD_UPDATE_DOCS") == "" {
			w.t.Errorf("line %d, $ %s\nprinted\n%s\nand not\n%s", w.at.Line, command, w.shown(out), want)
		}
		if equal {
			out = want // with its numbers and its …
		}
		got.WriteString("$ " + command + "\n")
		if out != "" {
			got.WriteString(w.shown(out) + "\n")
		}
	}
	return got.String()
}
