package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Badger writes through memory maps of sparse files, and a page for which the
// file system has no block kills the process. Three things keep that from
// happening as far as it can be kept:
//
//   - A commit looks at the free space first and is refused below minFreeBytes:
//     what is left is for tables that are being built.
//   - The write-ahead log has its blocks before it is written to. Only the
//     first transaction of a new log, one in some thousands, is without.
//   - The ballast, a file beside the directory, is deleted when the space gets
//     short all the same: for what is being built, or to open the journal after
//     a death. It is made again when there is plenty.
//
// A process that dies nevertheless has lost nothing, and Open returns
// ErrNoSpace until it can do without dying.

// A file system with less than this free refuses commits, and, for a small
// fraction of it, opening.
const (
	minFreeBytes  = 128 << 20
	minFreeInodes = 200
	openShare     = 2 // of minFreeBytes: three memtables become tables
	ballastShare  = 4 // of minFreeBytes: below, the ballast is given up
)

const (
	ballastEvery   = 10 * time.Second // between two attempts to make it
	ballastDivisor = 16               // of the file system at most
)

// reserve keeps space for a full file system. The committer alone uses it,
// once it runs.
type reserve struct {
	dir     string
	minFree uint64
	log     *slog.Logger

	ballast int64     // bytes wanted
	held    bool      // the ballast is there
	tried   time.Time // to make it

	mem     int // number of the newest log, 0 when unknown
	noAlloc bool
	allocAt int // the log whose blocks are still to be had; 0 for none
}

func ballastPath(dir string) string { return filepath.Clean(dir) + ".ballast" }

func newReserve(dir string, ballast int64, log *slog.Logger) *reserve {
	r := &reserve{dir: dir, minFree: minFreeBytes, log: log, ballast: ballast}
	info, err := os.Stat(ballastPath(dir))
	r.held = err == nil
	if r.held && ballast <= 0 || r.held && info.Size() > ballast {
		r.release("another size is configured")
	}
	return r
}

// toOpen tells whether Badger may be opened: it builds tables of what is in
// its logs.
func (r *reserve) toOpen() error {
	bytes, inodes, err := freeSpace(r.dir)
	if err == nil && bytes < r.minFree/openShare && r.held {
		r.release("there is no space to open the journal")
		bytes, inodes, err = freeSpace(r.dir)
	}
	if err != nil {
		return err
	}
	if bytes < r.minFree/openShare || inodes < minFreeInodes {
		return r.shortage(bytes, inodes)
	}
	return nil
}

func (r *reserve) shortage(bytes, inodes uint64) error {
	return fmt.Errorf("%w: %d MiB and %d inodes free in %s", ErrNoSpace, bytes>>20, inodes, r.dir)
}

// toCommit tells whether a commit may be begun.
func (r *reserve) toCommit() error {
	bytes, inodes, err := freeSpace(r.dir)
	if err != nil {
		r.log.Warn("free space of the journal unknown", "error", err)
		return nil
	}
	if bytes < r.minFree/ballastShare {
		r.release("the file system is nearly full")
	}
	if bytes < r.minFree || inodes < minFreeInodes {
		return r.shortage(bytes, inodes)
	}
	if err := r.allocate(); err != nil {
		return err
	}
	if !r.held && r.ballast > 0 && bytes > r.minFree+2*uint64(r.ballast) && time.Since(r.tried) > ballastEvery {
		r.tried = time.Now()
		if err := r.fill(); err != nil {
			r.log.Warn("ballast cannot be made", "error", err)
		}
	}
	return nil
}

func (r *reserve) release(why string) {
	if !r.held {
		return
	}
	if err := os.Remove(ballastPath(r.dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.log.Warn("ballast cannot be released", "error", err)
		return
	}
	r.held, r.tried = false, time.Now()
	r.log.Warn("ballast of the journal released", "reason", why)
}

// fill makes the ballast. It appears under its name when it has its blocks.
func (r *reserve) fill() error {
	size, err := r.size()
	if err != nil {
		return err
	}
	tmp := ballastPath(r.dir) + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make ballast: %w", err)
	}
	err = syscall.Fallocate(int(f.Fd()), 0, 0, size)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, ballastPath(r.dir))
	}
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("make ballast: %w", err)
	}
	r.held = true
	return nil
}

// size is what was asked for, but not much of a small file system.
func (r *reserve) size() (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(r.dir, &st); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", r.dir, err)
	}
	return min(r.ballast, max(int64(st.Blocks)*st.Bsize/ballastDivisor, 1)), nil
}

// follow looks for a log that Badger has begun since, and gives it its
// blocks.
func (r *reserve) follow() (begun bool) {
	for {
		if _, err := os.Lstat(r.memFile(r.mem + 1)); err != nil {
			break
		}
		r.mem++
		r.allocAt, begun = r.mem, true
	}
	if err := r.allocate(); err != nil {
		r.log.Warn("no space for the journal's log", "error", err)
	}
	return begun
}

// allocate gives the newest log its blocks, if it lacks them. A transaction
// that makes the log full may pass memTableSize by its own size.
func (r *reserve) allocate() error {
	if r.allocAt == 0 || r.noAlloc {
		return nil
	}
	f, err := os.OpenFile(r.memFile(r.allocAt), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) { // already a table
		r.allocAt = 0
		return nil
	}
	if err != nil {
		return fmt.Errorf("reserve space for the log: %w", err)
	}
	defer f.Close()
	const keepSize = 1 // FALLOC_FL_KEEP_SIZE
	switch err := syscall.Fallocate(int(f.Fd()), keepSize, 0, memTableSize+2*groupBytes); {
	case errors.Is(err, syscall.EOPNOTSUPP):
		r.noAlloc = true
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: reserve space for the log: %w", ErrNoSpace, err)
	case err != nil:
		return fmt.Errorf("reserve space for the log: %w", err)
	}
	r.allocAt = 0
	return nil
}

func (r *reserve) memFile(n int) string { return filepath.Join(r.dir, fmt.Sprintf("%05d.mem", n)) }

// begin finds the log that is being written: the newest.
func (r *reserve) begin() {
	names, err := os.ReadDir(r.dir)
	if err != nil {
		return // the first commit says so
	}
	for _, name := range names {
		if base, ok := strings.CutSuffix(name.Name(), ".mem"); ok {
			if n, err := strconv.Atoi(base); err == nil && n > r.mem {
				r.mem, r.allocAt = n, n
			}
		}
	}
}

// freeSpace returns what an unprivileged process may still use. File systems
// that do not count inodes have plenty.
func freeSpace(dir string) (bytes, inodes uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	inodes = st.Ffree
	if st.Files == 0 {
		inodes = 1 << 62
	}
	return st.Bavail * uint64(st.Bsize), inodes, nil
}
