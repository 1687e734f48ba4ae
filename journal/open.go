package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Options says where a journal is and how it is kept.
type Options struct {
	// Dir is the directory of the database, created when missing. It must be
	// on a local file system and outside every watched tree. The side file is
	// Dir + ".check".
	Dir string
	// Logger may be nil.
	Logger *slog.Logger
	// Retain keeps entries that every remote has, for inspection; the newest
	// 200,000 at most. Zero keeps none.
	Retain time.Duration
}

// Open opens or creates a journal and verifies it: epoch and heads against
// the side file, number and sum of the entries and number of the index records
// against the source headers. It returns ErrLocked when another process has it
// open, *LostError when acknowledged data is missing, *CorruptError when a
// value is unreadable, and leaves the files in place in each case; SetAside
// moves them away. Opening reads every entry and the keys of the index: about
// a second per million.
func Open(o Options) (*Journal, error) {
	dir := filepath.Clean(o.Dir)
	side, err := readSide(dir)
	if err != nil {
		return nil, err
	}
	if err := precheck(dir, side != nil); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create journal directory: %w", err)
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	db, err := openBadger(dir, log, false)
	if err != nil {
		return nil, err
	}
	j := newJournal(dir, log, db)
	j.retain = o.Retain
	// Another process may have written the side file until the lock was ours.
	if j.side, err = readSide(dir); err == nil {
		err = j.start()
	}
	if err != nil {
		db.Close() // the reason for refusing matters more
		return nil, err
	}
	return j, nil
}

func newJournal(dir string, log *slog.Logger, db *badger.DB) *Journal {
	return &Journal{
		dir: dir, log: log, db: db, now: time.Now, grace: sweepGrace, minFree: minFreeBytes,
		commitTxn: (*badger.Txn).Commit, sources: map[string]*Source{},
	}
}

// start loads, verifies and, for a new journal, creates the contents.
func (j *Journal) start() error {
	fresh, err := j.load()
	if err != nil {
		return err
	}
	if err := j.verify(fresh); err != nil {
		return err
	}
	j.requests = make(chan *request, 256)
	j.committerDone = make(chan struct{})
	go j.committer()
	if err := j.initialise(fresh); err != nil {
		close(j.requests)
		<-j.committerDone
		return err
	}
	return nil
}

// initialise gives a new journal its epoch. The database is first: a crash
// before the side file leaves a journal that only lacks its checkpoint.
func (j *Journal) initialise(fresh bool) error {
	if fresh {
		var id [16]byte
		if _, err := rand.Read(id[:]); err != nil {
			return fmt.Errorf("draw journal epoch: %w", err)
		}
		j.epoch = hex.EncodeToString(id[:])
		if err := j.submit(context.Background(), []op{{formatKey, encodeFormat(j.epoch)}}); err != nil {
			return fmt.Errorf("create journal: %w", err)
		}
	} else if j.side == nil {
		j.log.Warn("journal had no checkpoint file, writing a new one", "file", sidePath(j.dir))
	}
	if err := j.checkpoint(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(j.dir))
}

// precheck looks for damage that opening would make final: without a MANIFEST
// Badger deletes its tables.
func precheck(dir string, haveSide bool) error {
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read journal directory: %w", err)
	}
	manifest, data := false, ""
	for _, n := range names {
		switch ext := filepath.Ext(n.Name()); {
		case n.Name() == badger.ManifestFilename:
			manifest = true
		case ext == ".sst" || ext == ".mem" || ext == ".vlog":
			data = n.Name()
		}
	}
	switch {
	case manifest:
		return nil
	case data != "":
		return &LostError{Dir: dir, What: fmt.Sprintf("the file %s is missing", badger.ManifestFilename)}
	case haveSide:
		return &LostError{Dir: dir, What: fmt.Sprintf("the database is missing, but %s belongs to it", sidePath(dir))}
	}
	return nil
}

// openBadger opens the database. A crash can leave an empty file behind, for
// which Badger fails once and repairs it ("Create a new file"): hence the loop.
func openBadger(dir string, log *slog.Logger, readOnly bool) (*badger.DB, error) {
	// SyncWrites is the only mode in which acknowledged means durable. Reading
	// blocks verifies their sums; verifying whole tables while opening panics
	// on a damaged one. Values stay far below the threshold: no value log.
	o := badger.DefaultOptions(dir).
		WithReadOnly(readOnly).
		WithSyncWrites(true).
		WithMemTableSize(16 << 20).WithNumMemtables(2).
		WithValueThreshold(512 << 10).WithValueLogFileSize(4 << 20).
		WithNumCompactors(2).
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithCompression(options.Snappy).WithBlockCacheSize(16 << 20).WithIndexCacheSize(0).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMetricsEnabled(false).
		WithLogger(badgerLog{log})
	var db *badger.DB
	var err error
	for range 8 {
		db, err = badger.Open(o)
		if err == nil || readOnly || !strings.Contains(err.Error(), "Create a new file") {
			break
		}
	}
	if err != nil {
		return nil, openError(dir, err)
	}
	return db, nil
}

// openError translates what Badger says. Its errors do not unwrap, so that
// the text has to decide.
func openError(dir string, err error) error {
	text := err.Error()
	if strings.Contains(text, "Cannot acquire directory lock") {
		return fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	for _, s := range []string{"permission denied", "no space left", "too many open files", "read-only file system",
		"cannot allocate memory", "input/output error", "operation not permitted"} {
		if strings.Contains(text, s) {
			return fmt.Errorf("open journal %s: %w", dir, err)
		}
	}
	return &CorruptError{Dir: dir, Place: "the database files", Err: err}
}

// load reads the format record, the sources and their remotes.
func (j *Journal) load() (fresh bool, err error) {
	err = j.view(func(txn *badger.Txn) error {
		j.epoch, err = getValue(j, txn, formatKey, func(_, v []byte) (string, error) { return decodeFormat(v) })
		if errors.Is(err, badger.ErrKeyNotFound) {
			fresh = true
			return j.checkEmpty(txn)
		}
		if err != nil {
			return err
		}
		err = each(txn, sourcePrefix, func(key, val []byte) error {
			h, err := decodeHeader(key, val)
			if err != nil {
				return j.corrupt(key, err)
			}
			name := string(bytes.TrimPrefix(key, sourcePrefix))
			j.sources[name] = newSource(j, name, h)
			return nil
		})
		for _, s := range j.sources {
			if err == nil {
				err = s.loadRemotes(txn)
			}
		}
		return err
	})
	return fresh, err
}

// checkEmpty refuses a database that holds anything but has no format record.
func (j *Journal) checkEmpty(txn *badger.Txn) error {
	return each(txn, nil, func(key, _ []byte) error {
		return &CorruptError{Dir: j.dir, Place: describe(key), Err: errors.New("the database has no format record")}
	})
}
