package failpoint_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gorsyncd/journal/failpoint"
)

var use = regexp.MustCompile(`failpoint\.(?:Hit|Fail)\("([^"]*)"\)`)

// TestNamesAreUsed compares Names with the places in the code.
func TestNamesAreUsed(t *testing.T) {
	used := map[string]int{}
	for _, dir := range []string{"journal", "watch", "replicate", "cmd"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.Contains(path, "/failpoint/") {
				return err
			}
			b, err := os.ReadFile(path)
			for _, m := range use.FindAllSubmatch(b, -1) {
				used[string(m[1])]++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range failpoint.Names {
		if used[name] == 0 {
			t.Errorf("%s is in no place of the code", name)
		}
		delete(used, name)
	}
	for name := range used {
		t.Errorf("%s is not in Names", name)
	}
	if n := slices.Compact(slices.Sorted(slices.Values(failpoint.Names))); len(n) != len(failpoint.Names) {
		t.Error("Names has a name twice")
	}
}

// TestOffByDefault: a release build must not read the environment.
func TestOffByDefault(t *testing.T) {
	if failpoint.Enabled {
		t.Fatal("built with failpoints")
	}
	t.Setenv("GORSYNCD_FAILPOINTS", "x=kill")
	failpoint.Hit("x")
	if err := failpoint.Fail("x"); err != nil {
		t.Fatal(err)
	}
}
