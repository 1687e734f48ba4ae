package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// OpenOffline opens a journal for inspection while no daemon runs, and says
// how: "read-only", or "copy" when the journal was not closed cleanly, which
// Badger cannot read in place; Close then removes the copy. It returns
// ErrLocked when a process has the journal open. Lost data is no error here:
// Check reports it. Whatever would change the journal returns ErrReadOnly.
func OpenOffline(dir string) (*Journal, string, error) {
	dir = filepath.Clean(dir)
	side, err := readSide(dir)
	if err != nil {
		return nil, "", err
	}
	if err := precheck(dir, side != nil); err != nil {
		return nil, "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "MANIFEST")); err != nil {
		return nil, "", fmt.Errorf("open journal: %w", err)
	}
	log := slog.New(slog.DiscardHandler)
	how := "read-only"
	unlock, err := lockDir(dir, syscall.LOCK_SH)
	if err != nil {
		return nil, "", err
	}
	if side, err = readSide(dir); err != nil { // a daemon may have ended since
		unlock()
		return nil, "", err
	}
	db, err := openBadger(dir, log, true)
	temporary := ""
	if err != nil {
		how = "copy"
		temporary, err = copyToTemporary(dir)
		unlock() // the copy is nobody else's
		unlock = func() {}
		if err != nil {
			return nil, "", err
		}
		if db, err = openBadger(temporary, log, false); err != nil {
			os.RemoveAll(temporary)
			return nil, "", err
		}
	}
	j := newJournal(dir, log, newDatabase(db, unlock), realTime())
	j.readOnly, j.temporary, j.side = true, temporary, side
	if fresh, err := j.load(); err != nil || fresh {
		j.Close()
		if err == nil {
			err = &LostError{Dir: dir, What: "the database is empty"}
		}
		return nil, "", err
	}
	return j, how, nil
}

// copyToTemporary copies a database that is locked to a temporary directory.
func copyToTemporary(dir string) (string, error) {
	temporary, err := os.MkdirTemp("", "gorsyncd-journal-")
	if err != nil {
		return "", fmt.Errorf("copy journal: %w", err)
	}
	if err := copyFiles(dir, temporary); err != nil {
		os.RemoveAll(temporary)
		return "", fmt.Errorf("copy journal: %w", err)
	}
	return temporary, nil
}

func copyFiles(from, to string) error {
	names, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !n.Type().IsRegular() || n.Name() == "LOCK" || strings.HasSuffix(n.Name(), keptSuffix) {
			continue
		}
		err := copySparse(filepath.Join(from, n.Name()), filepath.Join(to, n.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copySparse leaves out blocks of zeros: Badger's files are mostly holes.
func copySparse(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	buf, zero := make([]byte, 64<<10), make([]byte, 64<<10)
	for off := int64(0); ; {
		n, rerr := io.ReadFull(src, buf)
		if !bytes.Equal(buf[:n], zero[:n]) {
			_, err = dst.WriteAt(buf[:n], off)
		}
		off += int64(n)
		if rerr != nil || err != nil {
			if err == nil && rerr != io.EOF && rerr != io.ErrUnexpectedEOF {
				err = rerr
			}
			if err == nil {
				err = dst.Truncate(off)
			}
			break
		}
	}
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	return err
}
