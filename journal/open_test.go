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
	r := remote(t, s, "nas")
	record(t, s, with(file("d/x", 3, 1), func(o *Observation) { o.State.Nlink = 2 }), gone("d/y"))
	commit(t, r, Update{PutRetry: []Retry{{Path: "d/x", Seq: 3, Op: OpChange}}})
	if err := j.checkpoint(); err != nil {
		t.Fatal(err)
	}
	return image(t, j.dir)
}

// image copies a journal and its side file as they are on the disk, identity
// included: the copy stands for the original.
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
	adopt(t, to)
	return to
}

// adopt gives the pulse of a copy the identity of its new file.
func adopt(t *testing.T, dir string) {
	t.Helper()
	beat, err := readPulse(dir)
	must(t, err)
	if beat == nil {
		return
	}
	name := filepath.Join(dir, pulseName)
	beat.Self, err = fileHandle(name)
	must(t, err)
	must(t, os.WriteFile(name, beat.encode(), 0o600))
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

func must(t testing.TB, err error) {
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
		}, &lost, "acknowledged"},
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
		"format record":  {func(t *testing.T, dir string) { overwrite(t, dir, formatKey, flip) }, &corrupt, "format record"},
		"format lost":    {func(t *testing.T, dir string) { overwrite(t, dir, formatKey, drop) }, &corrupt, "no format record"},
		"header flipped": {func(t *testing.T, dir string) { overwrite(t, dir, sourceKey("www"), flip) }, &corrupt, "header of source www"},
		"header lost":    {func(t *testing.T, dir string) { overwrite(t, dir, sourceKey("www"), drop) }, &lost, "source www is missing"},
		"entry flipped":  {func(t *testing.T, dir string) { overwrite(t, dir, entryKey("www", 5), flip) }, &corrupt, "entry 5 of source www"},
		"entry lost":     {func(t *testing.T, dir string) { overwrite(t, dir, entryKey("www", 5), drop) }, &lost, "3 entries"},
		"record lost":    {func(t *testing.T, dir string) { overwrite(t, dir, indexKey("www", "d/x"), drop) }, &lost, "3 index records"},
		"cursor flipped": {func(t *testing.T, dir string) { overwrite(t, dir, remoteKey(kindCursor, "www", "nas"), flip) }, &corrupt, `cursor "nas" of source www`},
		"retry lost":     {func(t *testing.T, dir string) { overwrite(t, dir, retryKey("www", "nas", "d/x"), drop) }, &lost, "retry records"},
		"retry flipped":  {func(t *testing.T, dir string) { overwrite(t, dir, retryKey("www", "nas", "d/x"), flip) }, &corrupt, "retry record"},
		"retry is back": {func(t *testing.T, dir string) {
			insert(t, dir, retryKey("www", "nas", "d/z"), (&Retry{Path: "d/z", Op: OpChange}).encode(retryKey("www", "nas", "d/z")))
		}, &lost, "retry records"},
		"full sync lost":   {func(t *testing.T, dir string) { overwrite(t, dir, remoteKey(kindFull, "www", "nas"), drop) }, &lost, "full sync"},
		"state lost":       {func(t *testing.T, dir string) { overwrite(t, dir, remoteKey(kindState, "www", "nas"), drop) }, &lost, "state"},
		"cursor lost":      {func(t *testing.T, dir string) { overwrite(t, dir, remoteKey(kindCursor, "www", "nas"), drop) }, &lost, "remote is missing"},
		"cursor older":     {func(t *testing.T, dir string) { overwrite(t, dir, remoteKey(kindCursor, "www", "nas"), older) }, &lost, "older one"},
		"root lost":        {func(t *testing.T, dir string) { overwrite(t, dir, rootKey, drop) }, &lost, "number 0"},
		"inode key lost":   {func(t *testing.T, dir string) { overwrite(t, dir, inodeKey("www", 0, 3, "d/x"), drop) }, &lost, "hard links"},
		"record older":     {func(t *testing.T, dir string) { overwrite(t, dir, indexKey("www", "d/x"), olderRecord) }, &lost, "older ones"},
		"pulse lost":       {func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, pulseName))) }, &lost, pulseName},
		"side file lost":   {func(t *testing.T, dir string) { must(t, os.Remove(sidePath(dir))) }, &lost, ".check"},
		"marked unusable":  {func(t *testing.T, dir string) { must(t, markUnusable(dir, "for a test")) }, &lost, "for a test"},
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

// older is the value that the cursor had before its retry record.
func older([]byte) []byte {
	c := cursorRecord{Cursor{Low: 4}, holdings{Summed: true}}
	return c.encode(remoteKey(kindCursor, "www", "nas"))
}

func olderRecord(val []byte) []byte {
	key := indexKey("www", "d/x")
	r, err := decodeRecord(key, val)
	if err != nil {
		panic(err)
	}
	r.Size--
	return r.encode(key)
}

// insert adds a value behind the journal's back.
func insert(t *testing.T, dir string, key, val []byte) {
	t.Helper()
	db, err := openBadger(dir, nopLog, false)
	must(t, err)
	must(t, db.Update(func(txn *badger.Txn) error { return txn.Set(key, val) }))
	must(t, db.Close())
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

// A value that is damaged while the journal is in use is an error where it is
// read, and found by Verify where it is not.
func TestRecordDamagedLater(t *testing.T) {
	j, err := Open(Options{Dir: crashed(t)})
	must(t, err)
	defer j.Close()
	s := source(t, j)
	must(t, j.Verify(context.Background()))
	key := indexKey("www", "d/x")
	must(t, j.db.Update(func(txn *badger.Txn) error {
		item, err := txn.Get(key)
		must(t, err)
		val, err := item.ValueCopy(nil)
		must(t, err)
		return txn.Set(key, flip(val))
	}))
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
	failsVerify(t, j, `index record "d/x" of source www: checksum mismatch`)
}

// failsVerify expects that Verify finds damage, that the journal is no use
// any more, and that the next Open says so.
func failsVerify(t *testing.T, j *Journal, says string) {
	t.Helper()
	for _, err := range []error{j.Verify(context.Background()), j.Err(), j.Maintain(context.Background())} {
		if !isDamage(err) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not said: %v", says, err)
		}
	}
	must(t, j.Close())
	_, err := Open(Options{Dir: j.dir})
	if !isDamage(err) || !strings.Contains(err.Error(), says) {
		t.Errorf("%q is not said: %v", says, err)
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
