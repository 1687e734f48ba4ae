package journal

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// crashed returns a directory with a journal as kill -9 would leave it: a
// copy of the files while it was open, with a checkpoint.
func crashed(t *testing.T) string {
	t.Helper()
	j := openTest(t)
	s := source(t, j)
	tree(t, s)
	remote(t, s, "nas")
	record(t, s, file("d/x", 3, 1), gone("d/y"))
	if err := j.checkpoint(); err != nil {
		t.Fatal(err)
	}
	return image(t, j.dir)
}

// image copies a journal and its side file.
func image(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "journal")
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := copyFiles(dir, to); err != nil {
		t.Fatal(err)
	}
	if err := copySparse(sidePath(dir), sidePath(to)); err != nil {
		t.Fatal(err)
	}
	return to
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatalf("nothing matches %s", pattern)
	}
	return names
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// overwrite changes one value behind the journal's back.
func overwrite(t *testing.T, dir string, key []byte, change func(val []byte) []byte) {
	t.Helper()
	db, err := openBadger(dir, nopLog, false)
	must(t, err)
	must(t, db.Update(func(txn *badger.Txn) error {
		item, err := txn.Get(key)
		if err != nil {
			return err
		}
		val, err := item.ValueCopy(nil)
		if err != nil {
			return err
		}
		if val = change(val); val == nil {
			return txn.Delete(key)
		}
		return txn.Set(key, val)
	}))
	must(t, db.Close())
}

func flip(val []byte) []byte { val[len(val)/2] ^= 1; return val }
func drop([]byte) []byte     { return nil }

// TestDamageIsDetected is the table of what must never be taken for a
// journal that merely is shorter.
func TestDamageIsDetected(t *testing.T) {
	lost, corrupt := new(LostError), new(CorruptError)
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   any
		says   string
	}{
		"manifest deleted": {func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "MANIFEST"))) }, &lost, "MANIFEST"},
		"manifest garbage": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "MANIFEST"), []byte("garbage that is no manifest"), 0o600))
		}, &corrupt, "database files"},
		"directory missing": {func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }, &lost, "database is missing"},
		"directory emptied": {func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir))
			must(t, os.Mkdir(dir, 0o700))
		}, &lost, "database is missing"},
		"memtable emptied": {func(t *testing.T, dir string) {
			for _, f := range glob(t, dir+"/*.mem") {
				must(t, os.Truncate(f, 0))
			}
		}, &lost, "is empty"},
		"log cut": {func(t *testing.T, dir string) {
			name := glob(t, dir+"/*.mem")[0]
			b, err := os.ReadFile(name)
			must(t, err)
			used := len(bytes.TrimRight(b, "\x00"))
			clear(b[used*9/10:])
			must(t, os.WriteFile(name, b, 0o600))
		}, &lost, "was acknowledged"},
		"older one restored": {func(t *testing.T, dir string) {
			// go on, close, and put the older files back under the newer side file
			old := image(t, dir)
			j, err := Open(Options{Dir: dir})
			must(t, err)
			record(t, source(t, j), file("f", 20, 0))
			must(t, j.Close())
			must(t, os.RemoveAll(dir))
			must(t, os.Rename(old, dir))
		}, &lost, "was acknowledged"},
		"another one": {func(t *testing.T, dir string) {
			j := openTest(t)
			tree(t, source(t, j))
			closeChecked(t, j)
			must(t, os.RemoveAll(dir))
			must(t, os.Rename(j.dir, dir))
			must(t, os.Remove(sidePath(j.dir)))
			// the check at the end of the other journal is done
		}, &lost, "epoch"},
		"side file garbage": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(sidePath(dir), []byte("{}"), 0o600))
		}, &corrupt, ".check"},
		"format record":    {func(t *testing.T, dir string) { overwrite(t, dir, formatKey, flip) }, &corrupt, "format record"},
		"format lost":      {func(t *testing.T, dir string) { overwrite(t, dir, formatKey, drop) }, &corrupt, "no format record"},
		"header flipped":   {func(t *testing.T, dir string) { overwrite(t, dir, sourceKey("www"), flip) }, &corrupt, "header of source www"},
		"header lost":      {func(t *testing.T, dir string) { overwrite(t, dir, sourceKey("www"), drop) }, &lost, "source www is missing"},
		"entry flipped":    {func(t *testing.T, dir string) { overwrite(t, dir, entryKey("www", 5), flip) }, &corrupt, "entry 5 of source www"},
		"entry lost":       {func(t *testing.T, dir string) { overwrite(t, dir, entryKey("www", 5), drop) }, &lost, "3 entries"},
		"record lost":      {func(t *testing.T, dir string) { overwrite(t, dir, indexKey("www", "d/x"), drop) }, &lost, "3 index records"},
		"cursor flipped":   {func(t *testing.T, dir string) { overwrite(t, dir, remoteKey(kindCursor, "www", "nas"), flip) }, &corrupt, `cursor "nas" of source www`},
		"future version":   {func(t *testing.T, dir string) { overwrite(t, dir, entryKey("www", 5), future) }, &corrupt, "unknown version 9"},
		"entry of another": {func(t *testing.T, dir string) { overwrite(t, dir, entryKey("www", 5), foreign) }, &corrupt, "checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := crashed(t)
			c.damage(t, dir)
			_, err := Open(Options{Dir: dir})
			if err == nil {
				t.Fatal("opened")
			}
			if !errors.As(err, c.want) {
				t.Errorf("%T: %v", err, err)
			}
			for _, s := range []string{c.says, dir, "full sync"} {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
			aside, err := SetAside(dir, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
			must(t, err)
			equal(t, "aside", aside, dir+".lost-20260102T030405Z")
			j := reopen(t, Options{Dir: dir})
			equal(t, "new one", j.Sources(), nil)
		})
	}
}

func future(val []byte) []byte {
	return (&encoder{b: append([]byte{9}, val[1:len(val)-4]...)}).seal(entryKey("www", 5))
}

func foreign([]byte) []byte {
	e := Entry{Op: OpChange, Path: "d/x"}
	return e.encode(entryKey("www", 4))
}

// The image itself is sound: the table above tests the damage.
func TestCrashedOpens(t *testing.T) {
	j := reopen(t, Options{Dir: crashed(t)})
	equal(t, "head", source(t, j).Head(), 6)
}

func TestEmptyFilesOfACrash(t *testing.T) {
	dir := crashed(t)
	must(t, os.WriteFile(filepath.Join(dir, "00007.mem"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "00008.mem"), nil, 0o600))
	j := reopen(t, Options{Dir: dir})
	equal(t, "head", source(t, j).Head(), 6)
}

func TestLostSideFileIsWrittenAgain(t *testing.T) {
	dir := crashed(t)
	must(t, os.Remove(sidePath(dir)))
	j := reopen(t, Options{Dir: dir})
	equal(t, "head", source(t, j).Head(), 6)
	side, err := readSide(dir)
	must(t, err)
	equal(t, "heads", side.Heads, map[string]uint64{"www": 6})
}

func TestRecordDamagedLater(t *testing.T) {
	dir := crashed(t)
	overwrite(t, dir, indexKey("www", "d/x"), flip)
	j, err := Open(Options{Dir: dir})
	must(t, err)
	defer j.Close()
	s := source(t, j)
	var corrupt *CorruptError
	if _, _, err := s.Lookup("d/x"); !errors.As(err, &corrupt) {
		t.Error(err)
	}
	if _, err := s.Record(context.Background(), []Observation{gone("d/x")}); !errors.As(err, &corrupt) {
		t.Error(err)
	}
	rep, err := j.Check(context.Background())
	must(t, err)
	if len(rep.Problems) == 0 || !strings.Contains(strings.Join(rep.Problems, "\n"), `index record "d/x" of source www: checksum mismatch`) {
		t.Errorf("%q", rep.Problems)
	}
}

func TestSetAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if _, err := SetAside(dir, now); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	var names []string
	for range 3 {
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.WriteFile(sidePath(dir), nil, 0o600))
		name, err := SetAside(dir, now)
		must(t, err)
		names = append(names, strings.TrimPrefix(name, dir))
	}
	equal(t, "names", names, []string{".lost-20260102T030405Z", ".lost-20260102T030405Z.2", ".lost-20260102T030405Z.3"})
	must(t, os.WriteFile(sidePath(dir), nil, 0o600)) // half of an earlier one
	_, err := SetAside(dir, now)
	must(t, err)
	if exists(sidePath(dir)) {
		t.Error("side file left")
	}
}

func TestLockedByAnotherProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	child := holdOpen(t, dir)
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	if _, _, err := OpenOffline(dir); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	kill(child)
	j, how, err := OpenOffline(dir)
	must(t, err)
	equal(t, "how", how, "copy")
	must(t, j.Close())
	reopen(t, Options{Dir: dir})
}

func TestPermissionIsNoDamage(t *testing.T) {
	err := openError("d", errors.New(`Cannot open "d/MANIFEST": permission denied`))
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		t.Error(err)
	}
}
