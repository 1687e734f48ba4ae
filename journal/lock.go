package journal

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/dgraph-io/badger/v4"
)

// lockDir takes the lock on a journal's directory that Badger would take, so
// that neither a daemon nor another program built on Badger opens it meanwhile:
// flock on the directory, with LOCK_EX to write and LOCK_SH to read. It returns
// ErrLocked when somebody else has it, or has put another directory in its place.
//
// Badger itself gives its lock up by closing the descriptor only. A child that
// was forked just before and has not reached its exec shares the open
// description and keeps it locked (flock(2)), so that opening again, here or
// elsewhere, fails for nothing. Hence a lock of our own, unlocked explicitly.
func lockDir(dir string, how int) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock journal: %w", err)
	}
	err = syscall.Flock(int(d.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || err == nil && !isAt(d, dir) {
		err = ErrLocked
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("lock journal %s: %w", dir, err)
	}
	return func() {
		_ = syscall.Flock(int(d.Fd()), syscall.LOCK_UN)
		d.Close()
	}, nil
}

// isAt tells whether an open directory still has its path: SetAside of another
// process may have renamed it before it was locked.
func isAt(d *os.File, path string) bool {
	held, err := d.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}

// database is Badger's with the lock on its directory, which is held until
// Badger has written all it had.
type database struct {
	*badger.DB
	release sync.Once
	locked  func()
}

func newDatabase(db *badger.DB, unlock func()) *database { return &database{DB: db, locked: unlock} }

func (d *database) Close() error {
	err := d.DB.Close()
	d.unlock()
	return err
}

func (d *database) unlock() { d.release.Do(d.locked) }
