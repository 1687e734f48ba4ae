package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/dgraph-io/badger/v4"
)

// lockDir takes the lock on a journal's directory that Badger would take, so
// that neither a daemon nor another program built on Badger opens it meanwhile:
// flock on the directory, with LOCK_EX to write and LOCK_SH to read. It returns
// ErrLocked when somebody else has it. A directory that is not there needs none.
//
// Badger itself gives its lock up by closing the descriptor only. A child that
// was forked just before and has not reached its exec shares the open
// description and keeps it locked (flock(2)), so that opening again, here or
// elsewhere, fails for nothing. Hence a lock of our own, unlocked explicitly.
func lockDir(dir string, how int) (unlock func(), err error) {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock journal: %w", err)
	}
	if err := syscall.Flock(int(d.Fd()), how|syscall.LOCK_NB); err != nil {
		d.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("lock journal %s: %w", dir, err)
	}
	return func() {
		syscall.Flock(int(d.Fd()), syscall.LOCK_UN)
		d.Close()
	}, nil
}

// database is Badger's with the lock on its directory, which is held until
// Badger has written all it had.
type database struct {
	*badger.DB
	unlock func()
}

func (d *database) Close() error {
	err := d.DB.Close()
	d.unlock()
	return err
}
