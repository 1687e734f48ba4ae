package journal

import (
	"errors"
	"fmt"
)

var (
	// ErrLocked means that another process has the journal open.
	ErrLocked = errors.New("journal is in use by another process")
	// ErrClosed is returned by calls after Close.
	ErrClosed = errors.New("journal is closed")
	// ErrReadOnly is returned by calls that would change a journal opened
	// with OpenOffline.
	ErrReadOnly = errors.New("journal is open for inspection only")
	// ErrNoSpace means that the file system of the journal is nearly full.
	// Nothing was written and the Journal stays usable: a memory-mapped write
	// on a full file system would kill the process instead.
	ErrNoSpace = errors.New("file system of the journal is nearly full")
	// ErrNotFound means that a journal opened for inspection has no such
	// source or remote.
	ErrNotFound = errors.New("not in the journal")
)

const remedy = "move the directory and its .check file away and start again: " +
	"a scan rebuilds the index and every remote gets a full sync"

// LostError means that the journal is intact to read but holds less than it
// once acknowledged, so that going on with it could lose changes.
type LostError struct {
	Dir  string
	What string // what is missing
}

func (e *LostError) Error() string {
	return fmt.Sprintf("journal in %s has lost data: %s; %s", e.Dir, e.What, remedy)
}

// CorruptError means that a value of the journal, or Badger's own files,
// cannot be read.
type CorruptError struct {
	Dir   string
	Place string // the record or file
	Err   error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("journal in %s is damaged at %s: %v; %s", e.Dir, e.Place, e.Err, remedy)
}

// isDamage tells whether the journal has to be set aside.
func isDamage(err error) bool {
	var lost *LostError
	var corrupt *CorruptError
	return errors.As(err, &lost) || errors.As(err, &corrupt)
}

func (e *CorruptError) Unwrap() error { return e.Err }
