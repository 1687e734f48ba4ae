package logging

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// TestSet: what was made from the logger before a change follows it.
func TestSet(t *testing.T) {
	var std bytes.Buffer
	l, err := Open(&std, config.Log{Level: "info", Format: "text"})
	if err != nil {
		t.Fatal(err)
	}
	log := l.Logger().With("source", "www").WithGroup("g").With("remote", "nas")
	log.Debug("no")
	log.Info("one")
	file := filepath.Join(t.TempDir(), "log")
	if err := l.Set(config.Log{Level: "debug", Format: "json", File: file}); err != nil {
		t.Fatal(err)
	}
	log.Debug("two")
	if err := l.Set(config.Log{Level: "info", Format: "text", File: filepath.Join(file, "none")}); err == nil {
		t.Error("a file that cannot be opened is accepted")
	}
	log.Debug("three")
	if err := l.Set(config.Log{Level: "error", Format: "text"}); err != nil {
		t.Fatal(err)
	}
	log.Warn("no")
	log.Error("four")

	want := "msg=one source=www g.remote=nas\n"
	if got := std.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, want) || !strings.Contains(got, "msg=four source=www g.remote=nas\n") {
		t.Errorf("standard error: %s", got)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	var doc struct {
		Msg    string
		Source string
		G      struct{ Remote string }
	}
	if len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &doc) != nil || doc.Msg != "two" || doc.Source != "www" || doc.G.Remote != "nas" {
		t.Errorf("file: %s", b)
	}
}

// TestHandler has the standard library judge it.
func TestHandler(t *testing.T) {
	var out bytes.Buffer
	l, err := Open(&out, config.Log{Level: "info", Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	err = slogtest.TestHandler(l.Logger().Handler(), func() []map[string]any {
		var all []map[string]any
		for _, line := range bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n")) {
			m := map[string]any{}
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		return all
	})
	if err != nil {
		t.Error(err)
	}
}

// TestNoLineIsLost: many write while the file changes.
func TestNoLineIsLost(t *testing.T) {
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
	l, err := Open(os.Stderr, config.Log{Level: "info", File: files[0]})
	if err != nil {
		t.Fatal(err)
	}
	const writers, lines = 4, 500
	var wg sync.WaitGroup
	for range writers {
		log := l.Logger().With("k", "v")
		wg.Go(func() {
			for range lines {
				log.Info("line", slog.String("x", "y"))
			}
		})
	}
	for i := range 100 {
		if err := l.Set(config.Log{Level: "info", File: files[i%2]}); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	n := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(b), "msg=line k=v x=y\n")
	}
	if n != writers*lines {
		t.Errorf("%d lines of %d", n, writers*lines)
	}
}

// TestFormats: levels are heeded, and no name makes a line of its own.
func TestFormats(t *testing.T) {
	for format, want := range map[string]string{"json": `"msg":"shown","path":"a\nb"`, "text": `msg=shown path="a\nb"`} {
		var b bytes.Buffer
		l, err := Open(&b, config.Log{Level: "warn", Format: format})
		if err != nil {
			t.Fatal(err)
		}
		l.Logger().Info("hidden")
		l.Logger().Warn("shown", "path", "a\nb")
		if got := b.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
			t.Errorf("%s", got)
		}
	}
}
