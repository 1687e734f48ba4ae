// Package drafttest compares what becomes of configurations of other programs with
// golden files.
//
//	drafttest.Golden(t, "testdata/*.xml", func(f draft.File) (*draft.Result, error) { … })
//
// With -update the golden files are written.
package drafttest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/draft"
)

var update = flag.Bool("update", false, "write the golden files")

// Golden imports each file of a pattern and compares the configuration, with the
// notes behind it, with the file beside it that ends in .yaml. A file that is
// refused has its error there. Notes of no file, which all have alike, are left
// out. The configuration has to be a valid one, or a note says what is wrong.
func Golden(t *testing.T, pattern string, do func(draft.File) (*draft.Result, error)) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) < 3 {
		t.Fatal("files: ", names, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := outcome(t, draft.File{Name: filepath.Base(name), Data: data}, do)
			golden := strings.TrimSuffix(name, filepath.Ext(name)) + ".yaml"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != got {
				t.Errorf("%v, differs from %s:\n%s", err, golden, got)
			}
		})
	}
}

func outcome(t *testing.T, f draft.File, do func(draft.File) (*draft.Result, error)) string {
	t.Helper()
	res, err := do(f)
	if err != nil {
		return fmt.Sprintf("# refused: %v\n", err)
	}
	var b strings.Builder
	b.Write(res.YAML)
	for _, n := range res.Notes {
		if n.File != "" {
			fmt.Fprintln(&b, "#", n)
		}
	}
	_, err = config.Parse("x", res.YAML, config.Options{})
	said := slices.ContainsFunc(res.Notes, func(n draft.Note) bool { return n.Kind == draft.Lost && n.File != f.Name && n.File != "" })
	if (err != nil) != said {
		t.Errorf("the configuration is no good and nobody says so, or the other way round: %v", err)
	}
	return b.String()
}
