package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"math/rand/v2"
)

// TestRaces runs every scenario once in miniature against the built program:
// copies get equal, and the report has every section with what it shows.
// GORSYNCD_SEED replays an order.
func TestRaces(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "gorsyncd")
	build := exec.Command("go", "build", "-o", bin, "gorsyncd/cmd/gorsyncd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build gorsyncd: %v\n%s", err, out)
	}
	o := options{binary: bin, out: t.TempDir(), tmpfs: os.TempDir(), level: mini, limit: 2 * time.Second, seed: rand.Uint64N(1 << 40), big: true}
	if v := os.Getenv("GORSYNCD_SEED"); v != "" {
		var err error
		if o.seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(o); err != nil {
		t.Fatal(err)
	}
	report, err := os.ReadFile(filepath.Join(o.out, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		_, rest, ok := strings.Cut(string(report), "<!-- begin "+s.name+" -->\n")
		text, _, ended := strings.Cut(rest, "<!-- end "+s.name+" -->\n")
		if !ok || !ended || !strings.Contains(text, "## "+s.title) || !strings.Contains(text, "| gorsyncd") {
			t.Errorf("section %s:\n%s", s.name, text)
		}
		for _, part := range strings.Split(text, "](")[1:] {
			name, _, _ := strings.Cut(part, ")")
			svg, err := os.ReadFile(filepath.Join(o.out, name))
			if err != nil || !strings.Contains(string(svg), "gorsyncd") || strings.Contains(string(svg), "NaN") {
				t.Errorf("plot %s: %v\n%s", name, err, svg)
			}
		}
	}
	if strings.Contains(string(report), "NaN") {
		t.Errorf("a figure is no number:\n%s", report)
	}
}

// TestTree: sizes are right on average and change in each round, which the
// races rely on.
func TestTree(t *testing.T) {
	tr := tree{files: 20, dirs: 3, size: 1000}
	sum := 0
	seen := map[int]bool{}
	for i := range tr.files {
		a, b := tr.content(i, 0), tr.content(i, 1)
		if len(b) != len(a)+1 {
			t.Errorf("file %d has %d bytes, then %d", i, len(a), len(b))
		}
		sum += len(a)
		seen[len(a)] = true
	}
	if sum != tr.files*tr.size || len(seen) < tr.files {
		t.Errorf("%d bytes in %d sizes, want %d", sum, len(seen), tr.files*tr.size)
	}
}
