package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const top = "../.."

// TestTableFitsTheSource: each text to be replaced is there once, each result
// is Go, and each test exists.
func TestTableFitsTheSource(t *testing.T) {
	points := map[int]bool{}
	for _, p := range table {
		points[p.point] = true
		for _, e := range p.edits {
			_, after, err := e.in(top)
			if err != nil {
				t.Errorf("point %d: %v", p.point, err)
				continue
			}
			if _, err := parser.ParseFile(token.NewFileSet(), e.file, after, 0); err != nil {
				t.Errorf("point %d: %v", p.point, err)
			}
		}
		if name, _, _ := strings.Cut(p.test, "/"); !hasTest(t, filepath.Join(top, p.dir), name) {
			t.Errorf("point %d: %s has no %s", p.point, p.dir, name)
		}
		if p.lost == "" || p.what == "" || len(p.edits) == 0 || strings.Contains(p.lost+p.what, "|") {
			t.Errorf("point %d: %+v is no row", p.point, p)
		}
	}
	for n := 1; n <= 17; n++ {
		if !points[n] {
			t.Errorf("point %d has no row", n)
		}
	}
}

func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", dir, err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == name {
				return true
			}
		}
	}
	return false
}

func TestApplyAndUndo(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("one two three"), 0o644); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	undo, err := apply(dir, []edit{{"f", "two", "2"}, {"f", "one 2", "12"}})
	if err != nil || read() != "12 three" {
		t.Fatalf("%q, %v", read(), err)
	}
	if err := undo(); err != nil || read() != "one two three" {
		t.Fatalf("%q, %v", read(), err)
	}
	undo, err = apply(dir, []edit{{"f", "two", "2"}, {"f", "e", "E"}}) // three times
	if err == nil || !strings.Contains(err.Error(), "3 times") {
		t.Errorf("a text that is there three times: %v", err)
	}
	if err := undo(); err != nil || read() != "one two three" {
		t.Errorf("%q, %v", read(), err)
	}
}
