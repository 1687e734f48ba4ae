package replicate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Limits of the wait for what an earlier process has left behind.
const (
	aloneWait = 3 * time.Second
	alonePoll = 10 * time.Millisecond
	// farEnd is what the other side of a connection gets to notice that it is
	// cut, and to remove its temporary file.
	farEnd = 300 * time.Millisecond
)

// alone keeps the rsyncs of a process that was killed apart from ours. They
// outlive it: told to end, rsync sleeps 400 ms in its signal handler (main.c,
// sig_int) with the receiver at work, and only then removes its temporary file,
// which changes the directory's mtime. Two runs on overlapping paths leave the
// remote stale with exit status 0.
//
// The lock is flock's, on a file whose open description every rsync inherits:
// the kernel releases it when the last of them, and of their children, is gone.
type alone struct {
	path string // "" for no lock
	far  bool   // the receiver is no descendant of ours

	mu   sync.Mutex
	file *os.File // nil until the lock is ours
}

// enter returns the file to pass on to children, nil when there is no lock.
// While others hold it the outcome says so.
func (a *alone) enter(ctx context.Context) (*os.File, Outcome) {
	if a.path == "" {
		return nil, Outcome{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file != nil {
		return a.file, Outcome{}
	}
	f, err := openLock(a.path)
	if err != nil {
		return nil, Outcome{ID: "E-EXEC", Class: ClassTransient, Message: err.Error(), Hint: "the state directory must be writable"}
	}
	waited, err := a.take(ctx, f)
	if err != nil {
		f.Close()
		if ctx.Err() != nil {
			return nil, Outcome{Class: ClassCanceled}
		}
		return nil, Outcome{ID: "E-STRAGGLER", Class: ClassTransient, Message: err.Error(),
			Hint: "it ends by itself; see fuser " + a.path}
	}
	if waited && a.far {
		sleep(ctx, farEnd)
	}
	if err := note(f, running); err != nil {
		f.Close()
		return nil, Outcome{ID: "E-EXEC", Class: ClassTransient, Message: err.Error(), Hint: "the state directory must be writable"}
	}
	a.file = f
	return f, Outcome{}
}

// running is what the lock's file says for as long as runs may be cut short.
const running = "running\n"

// note writes what the lock's file says, so that a power cut keeps it.
func note(f *os.File, text string) error {
	err := f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(text), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	return nil
}

// CutShort tells whether the process that had a RunLock before ended in the
// middle of its runs, or may have. Ask before the Dispatcher runs.
func CutShort(path string) bool {
	b, err := os.ReadFile(path)
	return path != "" && err == nil && len(b) > 0
}

func openLock(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make lock directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	return f, nil
}

// take waits for the lock, and tells whether it had to.
func (a *alone) take(ctx context.Context, f *os.File) (waited bool, err error) {
	for end := time.Now().Add(aloneWait); ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return waited, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return waited, fmt.Errorf("lock %s: %w", a.path, err)
		case time.Now().After(end) || !sleep(ctx, alonePoll):
			return waited, errors.New("an rsync of an earlier gorsyncd is still at work here")
		}
		waited = true
	}
}

// sleep returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// leave gives the lock up when all runs have ended.
func (a *alone) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file != nil {
		// Left as it is, it only causes a look too many at the next start.
		_ = a.file.Truncate(0)
		a.file.Close()
		a.file = nil
	}
}
