package journal

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// TestRestoredCopies puts older states of a journal back in the ways that
// backups do. Remotes were told of changes since, which such a journal does not
// know of, however sound it is.
func TestRestoredCopies(t *testing.T) {
	cp := func(t *testing.T, args ...string) {
		t.Helper()
		if out, err := exec.Command("cp", append([]string{"-a"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("cp %q: %v\n%s", args, err, out)
		}
	}
	for name, restore := range map[string]func(t *testing.T, dir, backup string){
		"database and side file": func(t *testing.T, dir, backup string) {
			must(t, os.RemoveAll(dir))
			cp(t, backup, dir)
			cp(t, sidePath(backup), sidePath(dir))
		},
		"database alone": func(t *testing.T, dir, backup string) {
			must(t, os.RemoveAll(dir))
			cp(t, backup, dir)
		},
		"database, side file lost": func(t *testing.T, dir, backup string) {
			must(t, os.RemoveAll(dir))
			must(t, os.Remove(sidePath(dir)))
			cp(t, backup, dir)
		},
		"files into the same directory": func(t *testing.T, dir, backup string) {
			for _, f := range glob(t, dir+"/*") {
				must(t, os.Remove(f))
			}
			for _, f := range glob(t, backup+"/*") {
				cp(t, f, dir)
			}
			cp(t, sidePath(backup), sidePath(dir))
		},
		"all but pulse and side file": func(t *testing.T, dir, backup string) {
			for _, f := range glob(t, dir+"/*") {
				if filepath.Base(f) != pulseName {
					must(t, os.Remove(f))
				}
			}
			for _, f := range glob(t, backup+"/*") {
				if filepath.Base(f) != pulseName {
					cp(t, f, dir)
				}
			}
		},
		"what was set aside": func(t *testing.T, dir, backup string) {
			aside, err := SetAside(dir, time.Now())
			must(t, err)
			j, err := Open(Options{Dir: dir})
			must(t, err)
			must(t, j.Close())
			must(t, os.RemoveAll(dir))
			must(t, os.Rename(aside, dir))
			must(t, os.Rename(sidePath(aside), sidePath(dir)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Dir: filepath.Join(t.TempDir(), "journal")}
			j := reopen(t, o)
			tree(t, source(t, j))
			closeChecked(t, j)
			backup := filepath.Join(t.TempDir(), "backup")
			cp(t, o.Dir, backup)
			cp(t, sidePath(o.Dir), sidePath(backup))
			j = reopen(t, o)
			record(t, source(t, j), file("f", 20, 0), gone("f"))
			closeChecked(t, j)
			restore(t, o.Dir, backup)
			if _, err := Open(o); !isDamage(err) {
				t.Errorf("opened: %v", err)
			} else {
				t.Log(err)
			}
		})
	}
}

// A journal that is moved within its file system is the same.
func TestRenamedJournalOpens(t *testing.T) {
	j := openTest(t)
	tree(t, source(t, j))
	closeChecked(t, j)
	to := j.dir + "-renamed"
	must(t, os.Rename(j.dir, to))
	must(t, os.Rename(sidePath(j.dir), sidePath(to)))
	equal(t, "head", source(t, reopen(t, Options{Dir: to})).Head(), 4)
}

// asVersion1 rewrites a closed journal as earlier versions left it: without
// root, sums and pulse.
func asVersion1(t *testing.T, dir string) {
	t.Helper()
	db, err := openBadger(dir, nopLog, false)
	must(t, err)
	heads := map[string]uint64{}
	must(t, db.Update(func(txn *badger.Txn) error {
		must(t, txn.Delete(rootKey))
		return each(txn, nil, func(key, val []byte) error {
			key = slices.Clone(key)
			switch {
			case key[0] == kindCursor:
				c, err := decodeCursor(key, val)
				must(t, err)
				c.holdings = holdings{}
				return txn.Set(key, c.encode(key))
			case strings.HasPrefix(string(key), string(sourcePrefix)):
				h, err := decodeHeader(key, val)
				must(t, err)
				heads[string(key[len(sourcePrefix):])] = h.Head
				h.Summed, h.Digest = false, 0
				return txn.Set(key, h.encode(key))
			}
			return nil
		})
	}))
	must(t, db.Close())
	must(t, os.Remove(filepath.Join(dir, pulseName)))
	side, err := readSide(dir)
	must(t, err)
	side.Version, side.Serial, side.Heads = 1, 0, heads
	side.Sum = side.sum()
	b := `{"version":1,"epoch":"` + side.Epoch + `","heads":{"www":` + fmt.Sprint(heads["www"]) + `},"sum":` + fmt.Sprint(side.Sum) + "}\n"
	must(t, os.WriteFile(sidePath(dir), []byte(b), 0o600))
}

func TestJournalOfVersion1(t *testing.T) {
	dir := crashed(t)
	j := reopen(t, Options{Dir: dir})
	list, err := remote(t, source(t, j), "nas").Retries()
	must(t, err)
	closeChecked(t, j)
	asVersion1(t, dir)
	off, _, err := OpenOffline(dir)
	must(t, err)
	check(t, off)
	must(t, off.Close())
	for range 2 {
		j = reopen(t, Options{Dir: dir})
		must(t, j.Verify(context.Background()))
		r := remote(t, source(t, j), "nas")
		again, err := r.Retries()
		must(t, err)
		equal(t, "retries", again, list)
		equal(t, "sums", r.holdings().Summed && r.s.header().Summed, true)
		closeChecked(t, j)
	}
	overwrite(t, dir, retryKey("www", "nas", "d/x"), drop)
	if _, err := Open(Options{Dir: dir}); !isDamage(err) {
		t.Error(err)
	}
}

// A version 1 value under a root is an older one that has come back.
func TestVersion1Returns(t *testing.T) {
	for _, key := range [][]byte{sourceKey("www"), remoteKey(kindCursor, "www", "nas")} {
		dir := crashed(t)
		overwrite(t, dir, key, func(val []byte) []byte {
			if key[0] == kindCursor {
				c, err := decodeCursor(key, val)
				must(t, err)
				c.holdings = holdings{}
				return c.encode(key)
			}
			h, err := decodeHeader(key, val)
			must(t, err)
			h.Summed, h.Digest = false, 0
			return h.encode(key)
		})
		if _, err := Open(Options{Dir: dir}); !isDamage(err) {
			t.Errorf("%s: %v", describe(key), err)
		}
	}
}

// crushTables overwrites, in place, what the tables of an open journal hold.
func crushTables(t *testing.T, dir string) {
	t.Helper()
	for _, name := range glob(t, dir+"/*.sst") {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		must(t, err)
		for at := int64(2000); at < 200_000; at += 10_000 {
			_, err = f.WriteAt([]byte("damage"), at)
			must(t, err)
		}
		must(t, f.Close())
	}
}

// small makes tables small, and the cache as before at the end of the test.
func small(t *testing.T) {
	t.Helper()
	mem, cache := memTableSize, blockCacheSize
	t.Cleanup(func() { memTableSize, blockCacheSize = mem, cache })
	memTableSize = damageMemTable
}

// TestTablesDamagedWhileOpen damages blocks under an open journal. What is
// read, written and compacted meanwhile must not make the loss unnoticed.
func TestTablesDamagedWhileOpen(t *testing.T) {
	small(t)
	full, err := Open(Options{Dir: filepath.Join(t.TempDir(), "journal")})
	must(t, err)
	full.grace = 0
	populate(t, full)
	must(t, full.Close()) // all into tables
	for name, meanwhile := range map[string]func(t *testing.T, j *Journal, s *Source){
		"nothing": func(*testing.T, *Journal, *Source) {},
		"compaction": func(t *testing.T, j *Journal, s *Source) {
			_ = j.db.Flatten(1) // may say that it failed; it must not matter
		},
		"changes": func(t *testing.T, j *Journal, s *Source) {
			for f := range uint64(100) {
				if _, err := s.Record(context.Background(), []Observation{file("new", 90_000+f, int64(f)), gone("d4")}); err != nil {
					return // noticed
				}
			}
			_ = j.Maintain(context.Background()) // likewise
		},
		"lists": func(t *testing.T, j *Journal, s *Source) {
			for _, r := range slices.Sorted(maps.Keys(s.remotes)) {
				_, _ = s.remotes[r].Retries() // likewise
			}
			_, _ = s.Entries(0, 1<<30)
		},
	} {
		t.Run(name, func(t *testing.T) {
			small(t)
			blockCacheSize = 64 << 10
			home := filepath.Join(t.TempDir(), "journal")
			specimen{dir: full.dir}.clone(t, home)
			j, err := Open(Options{Dir: home})
			must(t, err)
			j.grace = 0
			defer j.Close()
			crushTables(t, j.dir)
			meanwhile(t, j, source(t, j))
			failsVerify(t, j, j.dir)
		})
	}
}

// Lists that end early are noticed at once.
func TestShortListsAreNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		key  []byte
		read func(*Source) error
		says string
	}{
		"entries": {entryKey("www", 6), func(s *Source) error { _, err := s.Entries(1, 100); return err }, "entry 6 of source www"},
		"retries": {retryKey("www", "nas", "d/x"), func(s *Source) error { _, err := s.handle("nas").Retries(); return err }, "retry records of remote www/nas"},
	} {
		t.Run(name, func(t *testing.T) {
			j, err := Open(Options{Dir: crashed(t)})
			must(t, err)
			s := source(t, j)
			must(t, c.read(s))
			must(t, j.db.Update(func(txn *badger.Txn) error { return txn.Delete(c.key) }))
			if err := c.read(s); !isDamage(err) || !strings.Contains(err.Error(), c.says) {
				t.Error(err)
			}
			failsVerify(t, j, c.says)
		})
	}
}
