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
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"gorsyncd/journal/failpoint"
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
	// Ballast is kept in reserve in a file beside the directory and given up
	// when the file system gets full: bytes, at most a sixteenth of the file
	// system. Zero keeps none.
	Ballast int64
	// Time is for tests; nil for the machine's.
	Time *TimeSource
	// Committed is told how long each group of writes took until it was durable,
	// or had failed. The one goroutine that writes calls it: it must not wait. It
	// may be nil.
	Committed func(time.Duration)
}

// Open opens or creates a journal and verifies it: every block of Badger's
// tables, then the number of commits against pulse and side file, and every
// value against the sums above it. It returns ErrLocked when another process
// has it open, *LostError when acknowledged data is missing, *CorruptError when
// a value is unreadable, and leaves the files in place in each case; SetAside
// moves them away. Opening reads everything: about a second per million
// records.
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
	if err := readMarker(dir); err != nil {
		return nil, err
	}
	space := newReserve(dir, o.Ballast, log)
	if err := space.toOpen(); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	db, err := openLocked(dir, log)
	if err != nil {
		return nil, err
	}
	clock := realTime()
	if o.Time != nil {
		clock = *o.Time
	}
	j := newJournal(dir, log, db, clock)
	j.reserve, j.committed = space, o.Committed
	j.SetRetain(o.Retain)
	if err := j.start(); err != nil {
		closeRefused(db)
		return nil, err
	}
	return j, nil
}

// closeRefused closes a database that is not going to be used. A damaged one
// may never finish; the reason for refusing it matters more, and that it can be
// set aside.
func closeRefused(db *database) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.Close()
	}()
	select {
	case <-done:
	case <-time.After(closeLimit):
		db.unlock()
	}
}

// closeLimit bounds the closing of a database that has failed: Badger repeats
// a failing flush forever.
const closeLimit = 3 * time.Second

func newJournal(dir string, log *slog.Logger, db *database, t TimeSource) *Journal {
	return &Journal{
		dir: dir, log: log, db: db, now: t.Wall, clock: openClock(dir, t, log), grace: sweepGrace,
		commitTxn: (*badger.Txn).Commit, sources: map[string]*Source{}, more: make(chan struct{}), dropping: map[string]bool{}, ghosts: map[string]bool{},
		rotated: make(chan struct{}, 1), compactNow: make(chan chan error),
	}
}

// start loads, verifies and, for a new journal, creates the contents.
func (j *Journal) start() error {
	// Another process may have written the side file until the lock was ours.
	var err error
	if j.side, err = readSide(j.dir); err != nil {
		return err
	}
	fresh, err := j.load()
	if err != nil {
		return err
	}
	upgrade, err := j.verify(fresh)
	if err != nil {
		return err
	}
	failpoint.Hit("journal.open.verified")
	j.dropKept()
	j.reserve.begin()
	j.requests = make(chan *request, 256)
	j.committerDone = make(chan struct{})
	go j.committer()
	if err := j.initialise(fresh, upgrade); err != nil {
		close(j.requests)
		<-j.committerDone
		j.pulse.close()
		return err
	}
	j.closing, j.compactorDone = make(chan struct{}), make(chan struct{})
	go j.compactor()
	return nil
}

// initialise gives a new journal its epoch and an old one its sums. The
// database is first, the side file last: a crash in between leaves a journal
// without sources, or one that is upgraded already.
func (j *Journal) initialise(fresh bool, upgrade []op) error {
	ops := upgrade
	if fresh {
		var id [16]byte
		if _, err := rand.Read(id[:]); err != nil {
			return fmt.Errorf("draw journal epoch: %w", err)
		}
		j.epoch = hex.EncodeToString(id[:])
		ops = append(ops, op{key: formatKey, val: encodeFormat(j.epoch)})
	}
	// One commit in any case: it shows that the journal can be written, but a
	// full file system is no reason not to open it.
	if err := j.submit(context.Background(), ops); err != nil && (len(ops) > 0 || !errors.Is(err, ErrNoSpace)) {
		return fmt.Errorf("begin journal: %w", err)
	}
	var err error
	if j.pulse, err = startPulse(j.dir, j.epoch, j.serial.Load(), j.log); err != nil {
		return err
	}
	if err := j.checkpoint(); errors.Is(err, syscall.ENOSPC) && j.side != nil {
		j.log.Warn("journal checkpoint stays an older one", "error", err)
	} else if err != nil {
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

// Smaller in tests that want many tables, or have them read from the disk.
var (
	memTableSize   int64 = 16 << 20
	blockCacheSize int64 = 16 << 20
)

// openLocked locks, verifies and opens the database.
func openLocked(dir string, log *slog.Logger) (*database, error) {
	unlock, err := lockDir(dir, syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	if err := verifyTables(dir); err != nil {
		unlock()
		return nil, err
	}
	db, err := openBadger(dir, log, false)
	if err != nil {
		unlock()
		return nil, err
	}
	return newDatabase(db, unlock), nil
}

// openBadger opens the database of a directory that is locked. A crash can leave
// an empty file behind, for which Badger fails once and repairs it ("Create a new
// file"): hence the loop.
func openBadger(dir string, log *slog.Logger, readOnly bool) (*badger.DB, error) {
	// SyncWrites is the only mode in which acknowledged means durable. Reading
	// blocks verifies their sums; verifying whole tables while opening panics
	// on a damaged one. Values stay far below the threshold: no value log.
	o := badger.DefaultOptions(dir).
		WithReadOnly(readOnly).
		WithSyncWrites(true).
		WithMemTableSize(memTableSize).WithNumMemtables(2).
		WithValueThreshold(min(512<<10, memTableSize/10)).WithValueLogFileSize(4 << 20).
		WithNumCompactors(0).WithNumLevelZeroTables(compactTables - 1).WithNumLevelZeroTablesStall(stallTables). // see compact.go
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithCompression(options.Snappy).WithBlockCacheSize(blockCacheSize).WithIndexCacheSize(0).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMetricsEnabled(false).
		WithBypassLockGuard(true). // see lockDir
		WithLogger(badgerLog{log})
	var db *badger.DB
	var err error
	for range 8 {
		db, err = callOpen(o)
		if err == nil || readOnly || !strings.Contains(err.Error(), "Create a new file") {
			break
		}
	}
	if err != nil {
		return nil, openError(dir, err)
	}
	return db, nil
}

// callOpen is badger.Open with panics and faults of this goroutine as errors.
func callOpen(o badger.Options) (db *badger.DB, err error) {
	defer faultsPanic()()
	defer recovered(&err)
	return badger.Open(o)
}

// openError translates what Badger says. Its errors do not unwrap, so that
// the text has to decide.
func openError(dir string, err error) error {
	text := err.Error()
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
	j.top = &rootKeeper{marks: map[string]uint64{}, serial: &j.serial}
	err = j.view(func(txn *badger.Txn) error {
		j.epoch, err = getValue(j, txn, formatKey, func(_, v []byte) (string, error) { return decodeFormat(v) })
		if errors.Is(err, badger.ErrKeyNotFound) {
			fresh = true
			return j.checkEmpty(txn)
		}
		if err != nil {
			return err
		}
		var summed bool
		if j.top.rootRecord, summed, err = lookup(j, txn, rootKey, decodeRoot); err != nil {
			return err
		}
		j.serial.Store(j.top.Serial)
		err = each(txn, sourcePrefix, func(key, val []byte) error {
			j.top.marks[string(key)] = mark(key, val)
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
		j.findGhosts(txn)
		if !summed {
			for _, m := range j.top.marks {
				j.top.Digest += m
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
