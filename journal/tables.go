package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
)

// verifyTables reads every table of a database that is locked and verifies the
// sums of its index and blocks. Badger itself would open a damaged table and read
// over the damage, drop it for good with the next compaction, or die of it in one
// of its goroutines.
func verifyTables(dir string) error {
	ids, err := listedTables(dir)
	if err != nil {
		return err
	}
	for _, id := range ids {
		name := filepath.Join(dir, table.IDToFilename(id))
		if err := verifyTable(name); scarce(err) {
			return fmt.Errorf("read table: %w", err)
		} else if err != nil {
			return &CorruptError{Dir: dir, Place: name, Err: err}
		}
	}
	return nil
}

// listedTables returns the tables of the manifest: others were not finished
// when the process ended, or not deleted yet.
func listedTables(dir string) (ids []uint64, err error) {
	name := filepath.Join(dir, badger.ManifestFilename)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing yet; precheck says otherwise
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	defer f.Close()
	m, err := replayManifest(f)
	if err != nil {
		return nil, &CorruptError{Dir: dir, Place: "the database files", Err: err}
	}
	return slices.Sorted(maps.Keys(m.Tables)), nil
}

func replayManifest(f *os.File) (m badger.Manifest, err error) {
	defer recovered(&err)
	m, _, err = badger.ReplayManifestFile(f, 0, badger.DefaultOptions("").WithLogger(nil))
	return m, err
}

// verifyOpenTables reads the tables of the open database from the disk, past
// all caches: what is damaged there is found before it is needed.
func (j *Journal) verifyOpenTables(ctx context.Context) error {
	for _, id := range j.tables() {
		name := filepath.Join(j.dir, table.IDToFilename(id))
		start := time.Now()
		err := verifyTable(name)
		if scarce(err) {
			return fmt.Errorf("read table: %w", err)
		}
		if err != nil && slices.Contains(j.tables(), id) { // else it was deleted meanwhile
			return &CorruptError{Dir: j.dir, Place: name, Err: err}
		}
		select { // half of a processor at most
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Since(start)):
		}
	}
	return nil
}

// tables returns the numbers of the tables, none when the journal is closed.
func (j *Journal) tables() (ids []uint64) {
	if j.enter() != nil {
		return nil
	}
	defer j.leave()
	for _, t := range j.db.Tables() {
		ids = append(ids, t.ID)
	}
	return ids
}

func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// scarce tells a lack of the machine's means from damage.
func scarce(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

// verifyTable relies on the table's own code, which panics at some kinds of
// damage.
func verifyTable(name string) (err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	defer recovered(&err)
	t, err := table.OpenInMemoryTable(b, 0, &table.Options{
		Compression: options.Snappy, BlockSize: 4 << 10, ChkMode: options.OnBlockRead,
	})
	if err != nil {
		return err
	}
	return t.VerifyChecksum()
}

// recovered turns a panic of Badger's code, including a fault of memory, into
// an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		text, _, _ := strings.Cut(strings.TrimSpace(fmt.Sprint(r)), "\n")
		*err = fmt.Errorf("%w: %s", errPanic, text)
	}
}

var errPanic = errors.New("reading it panics")

// faultsPanic makes faults of memory maps in this goroutine panics that can be
// recovered from, until the returned function is called.
func faultsPanic() func() {
	old := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(old) }
}
