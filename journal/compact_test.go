package journal

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// compactSoon sets for a test how long passes between two attempts.
func compactSoon(t *testing.T, every time.Duration) {
	old := compactEvery
	t.Cleanup(func() { compactEvery = old }) // after the journal is closed
	compactEvery = every
}

// TestTablesAreMerged fills level 0 with the tables at which a compaction is
// due: it must not wait for more.
func TestTablesAreMerged(t *testing.T) {
	small(t)
	compactSoon(t, 50*time.Millisecond)
	j := reopen(t, Options{Dir: filepath.Join(t.TempDir(), "journal")})
	s := source(t, j)
	for n := 0; levels(j)[0] < compactTables && levels(j)[6] == 0; n++ {
		var obs []Observation
		for f := range uint64(200) {
			name := sha256.Sum256(fmt.Append(nil, n, f))
			obs = append(obs, file(fmt.Sprintf("%x", name), 1000+f, int64(n)))
		}
		record(t, s, obs...)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		l := levels(j)
		if l[0] < compactTables && l[6] > 0 && len(having(t, j, keptSuffix)) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("tables by level: %v; kept: %v", l, having(t, j, keptSuffix))
		}
	}
	equal(t, "tables", len(having(t, j, tableSuffix)), len(j.tables()))
}

func having(t *testing.T, j *Journal, suffix string) []string {
	t.Helper()
	names, err := filesWith(j.dir, suffix)
	must(t, err)
	return names
}

// TestCompactionThatDropsItsInput takes the inodes away when a compaction has
// begun: all paths are in what is set aside.
func TestCompactionThatDropsItsInput(t *testing.T) {
	small(t)
	compactSoon(t, time.Hour)
	disk := mounted(t, "-t", "tmpfs", "-o", "size=1g,nr_inodes=1000", "tmpfs")
	o := Options{Dir: filepath.Join(disk, "journal")}
	j, err := Open(o)
	must(t, err)
	s := source(t, j)
	want := map[string]bool{}
	for n := 0; levels(j)[0] < compactTables-1; n++ {
		var obs []Observation
		for f := range uint64(200) {
			name := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, n, f)))
			obs, want[name] = append(obs, file(name, 1000+f, int64(n))), true
		}
		record(t, s, obs...)
	}
	must(t, j.Close()) // the last of them
	j, err = Open(o)
	must(t, err)
	old, err := j.keepTables()
	must(t, err)
	var fillers []string
	for n := 0; ; n++ {
		name := filepath.Join(disk, fmt.Sprint(n))
		if os.WriteFile(name, nil, 0o600) != nil {
			break
		}
		fillers = append(fillers, name)
	}
	must(t, j.db.Flatten(1)) // says nothing
	if n := len(j.tables()); n > 0 {
		t.Fatalf("Badger has %d tables: this does not show what it is to show", n)
	}
	if j.confirm(old) || !isDamage(j.Err()) {
		t.Fatalf("the loss is not noticed: %v", j.Err())
	}
	for _, name := range fillers {
		must(t, os.Remove(name))
	}
	must(t, j.Close())
	if _, err := Open(o); !isDamage(err) {
		t.Fatalf("opened without its tables: %v", err)
	}
	aside, err := SetAside(o.Dir, time.Now())
	must(t, err)
	must(t, Salvage(aside, func(p Salvaged) error {
		delete(want, p.Path)
		return nil
	}))
	if len(want) > 0 {
		t.Errorf("%d paths are lost", len(want))
	}
}
