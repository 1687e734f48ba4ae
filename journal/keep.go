package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dgraph-io/badger/v4"
)

// Badger empties and deletes the tables that it merges, whether their result
// came into being or not. So they get a second name, which needs no inode, and
// an iterator, for which Badger leaves them alone, until everything was found
// to be there: from a journal that lost them all the same, Salvage takes its
// paths from these. A table that is flushed in the middle of a compaction is
// not among them.
const (
	tableSuffix = ".sst"
	keptSuffix  = ".kept"
)

// kept holds the tables there are at one moment.
type kept struct {
	j   *Journal
	txn *badger.Txn
	it  *badger.Iterator
}

// keepTables is called by who has entered.
func (j *Journal) keepTables() (*kept, error) {
	txn := j.db.NewTransaction(false)
	k := &kept{j, txn, txn.NewIterator(badger.IteratorOptions{AllVersions: true})}
	if err := j.linkTables(); err != nil {
		k.release()
		return nil, fmt.Errorf("keep tables: %w", err)
	}
	return k, nil
}

func (j *Journal) linkTables() error {
	tables, err := filesWith(j.dir, tableSuffix)
	if err != nil {
		return err
	}
	for _, name := range tables {
		err := os.Link(name, strings.TrimSuffix(name, tableSuffix)+keptSuffix)
		switch {
		case errors.Is(err, fs.ErrExist): // Badger does not use a number twice
		case errors.Is(err, fs.ErrNotExist): // merged before, and let go just now
		case errors.Is(err, fs.ErrPermission), errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.EMLINK):
			// Not on this file system, or not for us.
			j.log.Debug("tables of the journal get no second name", "error", err)
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

func (k *kept) release() {
	k.it.Close()
	k.txn.Discard()
}

// forget lets tables go whose contents are elsewhere. The compactor calls it,
// for which the database stays open.
func (k *kept) forget() {
	k.release()
	k.j.dropKept()
}

// dropKept removes the second names.
func (j *Journal) dropKept() {
	names, err := filesWith(j.dir, keptSuffix)
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		j.log.Warn("cannot remove merged tables of the journal", "error", err)
	}
}

// filesWith are the files of a directory with that ending.
func filesWith(dir, suffix string) ([]string, error) {
	return filepath.Glob(filepath.Join(globEscape(dir), "*"+suffix))
}
