package journal

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// salvaged reads what is left of a journal after setting it aside.
func salvaged(t *testing.T, dir string) map[string]Type {
	t.Helper()
	aside, err := SetAside(dir, time.Now())
	must(t, err)
	got := map[string]Type{}
	last := ""
	must(t, Salvage(aside, func(p Salvaged) error {
		if p.Source != "www" {
			t.Errorf("%q of source %q", p.Path, p.Source)
		}
		if key := string(indexKey("www", p.Path)); key <= last {
			t.Errorf("%q is out of order", p.Path)
		} else {
			last = key
		}
		got[p.Path] = p.State.Type
		return nil
	}))
	return got
}

func TestSalvageOfLog(t *testing.T) {
	dir := crashed(t)
	equal(t, "salvaged", salvaged(t, dir), map[string]Type{"": Dir, "d": Dir, "d/x": File, "d/y": Gone})
}

// A removed directory that still shadows records was a directory.
func TestSalvageOfShadows(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	remote(t, s, "nas")
	record(t, s, dir("", 1), dir("d", 2), dir("d/e", 5), file("d/e/x", 3, 0), dir("f", 6), file("f/x", 7, 0))
	record(t, s, gone("d"), file("f", 8, 2))
	closeChecked(t, j)
	equal(t, "salvaged", salvaged(t, j.dir), map[string]Type{"": Dir, "d": Dir, "d/e": Dir, "d/e/x": File, "f": File})
}

// TestSalvageAroundDamage damages single places of many and expects most of
// the paths, and none that the journal did not know.
func TestSalvageAroundDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedFromEnv(t), 9))
	all := specimens(t)
	intact := filepath.Join(t.TempDir(), "journal")
	all[0].clone(t, intact)
	want := salvaged(t, intact)
	if len(want) < 10_000 {
		t.Fatalf("only %d paths", len(want))
	}
	for _, s := range all {
		for _, kind := range []string{"none", ".sst", ".mem"} {
			dir := filepath.Join(t.TempDir(), "journal")
			s.clone(t, dir)
			names, err := filepath.Glob(dir + "/*" + kind)
			must(t, err)
			for _, name := range names {
				b, err := os.ReadFile(name)
				must(t, err)
				used := int64(len(strings.TrimRight(string(b), "\x00")))
				if used < 10_000 {
					continue
				}
				must(t, change(1000+rng.Int64N(used/2), 8, func(b []byte) { b[0] ^= 0x41 })(name))
			}
			got := salvaged(t, dir)
			strange := maps.Clone(got)
			maps.DeleteFunc(strange, func(p string, _ Type) bool { _, known := want[p]; return known })
			// What was swept can come back where the deletion is unreadable.
			maps.DeleteFunc(strange, func(p string, _ Type) bool { return within("d10", p) || within("d11", p) || within("d12", p) })
			t.Logf("%s, damage %s: %d of %d paths, %d strange", s.state, kind, len(got), len(want), len(strange))
			if len(got) < len(want)*9/10 || len(strange) > 0 {
				t.Errorf("%s, damage %s: %d of %d paths, strange: %.500s", s.state, kind, len(got), len(want), fmt.Sprint(strange))
			}
		}
	}
}

func TestSalvageRefusesForeign(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"no side file": func(dir string) error { return os.Remove(sidePath(dir)) },
		"another's":    func(dir string) error { return writeSide(dir, &sideFile{Epoch: "another"}) },
		"empty database": func(dir string) error {
			must(t, os.Remove(filepath.Join(dir, pulseName)))
			return os.Remove(glob(t, dir+"/*.mem")[0])
		},
	} {
		dir := crashed(t)
		must(t, spoil(dir))
		err := Salvage(dir, func(p Salvaged) error { t.Errorf("%s: %q", name, p.Path); return nil })
		if !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
