package report

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplaceKeepsOtherSections(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	for _, s := range [][2]string{{"a", "first"}, {"b", "second\n"}, {"a", "third"}} {
		if err := Replace(file, s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "<!-- begin a -->\nthird\n<!-- end a -->\n\n<!-- begin b -->\nsecond\n<!-- end b -->\n"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
