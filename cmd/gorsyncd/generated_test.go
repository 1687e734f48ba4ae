package main

//go:generate env GORSYNCD_GENERATE=1 go test -count=1 -run ^TestGenerated$ .

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
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
