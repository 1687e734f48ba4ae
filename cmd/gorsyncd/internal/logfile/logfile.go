// Package logfile is a log file that may be rotated by whoever wants to.
//
//	w, err := logfile.Open("/var/log/gorsyncd.log")
//
// A file that has been moved away or removed is made anew, without a signal
// (lsyncd needed a restart). Where that fails the old one is written on: a log
// never stops the program. A symbolic link in place of the file is refused.
package logfile

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// checkEvery is how often the name is compared with what is open, at most.
const checkEvery = time.Second

// Writer appends to the file. It may be used by several goroutines.
type Writer struct {
	path string

	mu      sync.Mutex // guards the following
	f       *os.File
	checked time.Time
}

// Open opens or makes the file; its directory has to exist.
func Open(path string) (*Writer, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	return &Writer{path: path, f: f}, nil
}

func open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open log file: %w", err)
	}
	return f, nil
}

// Write appends p.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.checked) >= checkEvery {
		w.checked = now
		w.follow()
	}
	return w.f.Write(p)
}

// follow opens the file anew when another one, or none, has its name.
func (w *Writer) follow() {
	is, err := os.Lstat(w.path)
	if err == nil {
		if was, err := w.f.Stat(); err == nil && os.SameFile(is, was) {
			return
		}
	}
	f, err := open(w.path)
	if err != nil {
		return
	}
	w.f.Close()
	w.f = f
}

// Close closes the file; nothing may be written after it.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.f.Close()
}
