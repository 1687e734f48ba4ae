package e2e

import (
	be "encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// journalFiles returns the files of the journal with that ending.
func (r *rig) journalFiles(ending string) []string {
	r.t.Helper()
	names, err := filepath.Glob(filepath.Join(r.stateDir(), "journal", "*"+ending))
	must(r.t, err)
	if len(names) == 0 {
		r.t.Fatalf("the journal has no file *%s", ending)
	}
	return names
}

// ended waits for the daemon to end by itself and returns its error.
func (r *rig) ended(limit time.Duration) error {
	r.t.Helper()
	select {
	case <-r.proc.Done():
	case <-time.After(limit):
		r.t.Fatalf("the daemon still runs after %s", limit)
	}
	err := r.proc.Wait()
	r.proc = nil
	return err
}

func (r *rig) logText() string {
	r.t.Helper()
	b, err := os.ReadFile(r.log)
	must(r.t, err)
	return string(b)
}

// TestJournalDamagedWhileRunning damages the tables under a daemon while files
// change. It must end and say so, and the next start must make everything
// equal. So much is damaged that paths are forgotten: what was removed just
// then goes from the remote only with delete: all.
func TestJournalDamagedWhileRunning(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "defaults: {delete: all, guard: {max_delete: 0}}\njournal: {verify: 1s}")
	churn := testbed.NewChurn(src, seed(t))
	for i := range 2000 {
		write(t, filepath.Join(src, "d"+strconv.Itoa(i%20), "file"+strconv.Itoa(i)), "x")
	}
	r.start()
	r.flush(60 * time.Second)
	r.stop() // moves everything into tables
	r.start()
	r.flush(30 * time.Second)
	for _, name := range r.journalFiles(".sst") {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		must(t, err)
		for at := int64(3000); at < 40_000; at += 4096 {
			_, err = f.WriteAt([]byte("damage"), at)
			must(t, err)
		}
		must(t, f.Close())
	}
	churn.Steps(100)
	must(t, os.RemoveAll(filepath.Join(src, "d3")))
	if err := r.ended(30 * time.Second); err == nil {
		t.Error("the daemon ended as if nothing was wrong")
	}
	contains(t, r.logText(), "journal verification failed", ".sst", "the journal failed; ending")
	churn.Steps(100)

	r.start()
	r.flush(60 * time.Second)
	testbed.WaitEqual(t, src, dst, 5*time.Second)
	contains(t, r.logText(), "journal lost", "full sync needed", "reason=\"journal lost\"")
	aside, err := filepath.Glob(filepath.Join(r.stateDir(), "journal.lost-*"))
	must(t, err)
	if len(aside) == 0 {
		t.Error("the damaged journal was not kept")
	}
}

// TestJournalThatKills gives the journal a log whose replay makes Badger panic
// in a goroutine of its own. After three such starts it is set aside, and what
// was removed meanwhile is removed from the remote, since the old journal can
// still be read.
func TestJournalThatKills(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "")
	for i := range 20 {
		write(t, filepath.Join(src, strconv.Itoa(i)), "x")
	}
	r.start()
	r.flush(20 * time.Second)
	r.kill9()
	poison(t, r.journalFiles(".mem")[0])
	must(t, os.Remove(filepath.Join(src, "3")))

	for start := 1; ; start++ {
		if start > 5 {
			t.Fatal("the journal is not set aside")
		}
		r.spawn()
		alive := false
		r.waitFor(fmt.Sprintf("start %d to end or to answer", start), 30*time.Second, func() bool {
			select {
			case <-r.proc.Done():
				return true
			default:
			}
			alive = strings.Contains(r.logText(), "starts ended in a crash again and again") && r.inSync()
			return alive
		})
		if alive {
			if start != 4 {
				t.Errorf("set aside at start %d", start)
			}
			break
		}
		if err := r.ended(time.Second); err == nil {
			t.Fatalf("start %d did not crash", start)
		}
	}
	contains(t, r.logText(), "the last process died of its journal", "journal lost", "kept_in=")
	testbed.WaitEqual(t, src, dst, 10*time.Second)
	aside, err := filepath.Glob(filepath.Join(r.stateDir(), "journal.lost-*.check"))
	must(t, err)
	if len(aside) != 1 {
		t.Errorf("kept: %q", aside)
	}
}

// inSync tells whether the daemon answers that every remote is in sync.
func (r *rig) inSync() bool {
	doc, ok := r.tryStatus()
	for _, rem := range doc.Remotes {
		ok = ok && rem.State == "in_sync"
	}
	return ok && len(doc.Remotes) > 0
}

// poison appends a record with a right sum to a write-ahead log whose value is
// marked as a pointer into a value log, and is too short to be one. Records are
// meta, user meta, lengths of key and value, expiry (varints), key, value,
// CRC-32C, after a header of 20 bytes.
func poison(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	end := 20
	for b[end] != 0 || b[end+2] != 0 {
		p := end + 2
		var sizes [3]uint64
		for i := range sizes {
			v, n := be.Uvarint(b[p:])
			sizes[i], p = v, p+n
		}
		end = p + int(sizes[0]+sizes[1]) + crc32.Size
	}
	const valuePointer = 2
	key := append([]byte("zzz"), make([]byte, 8)...) // ends with a version
	rec := append([]byte{valuePointer, 0, byte(len(key)), 1, 0}, key...)
	rec = append(rec, 'x')
	rec = be.BigEndian.AppendUint32(rec, crc32.Checksum(rec, crc32.MakeTable(crc32.Castagnoli)))
	copy(b[end:], rec)
	must(t, os.WriteFile(name, b, 0o600))
}
