package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// tree describes a tree of files spread evenly over directories, the same at
// each making.
type tree struct {
	files, dirs int
	size        int // bytes of a file, on average; 0 makes empty ones
	text        bool
}

// writers make files at the same time, as several processes of a busy site do.
const writers = 4

func (t tree) dir(d int) string { return fmt.Sprintf("project%02d/dir%04d", d/100, d) }

func (t tree) path(i int) string {
	return fmt.Sprintf("%s/file%07d.dat", t.dir(i%t.dirs), i)
}

// make writes the tree below root.
func (t tree) make(root string) error {
	_, err := t.makeSeen(root)
	return err
}

// makeSeen is make that tells what the observer may expect: a walk of the tree
// afterwards would be at the cost of who copies it meanwhile.
func (t tree) makeSeen(root string) (*expectation, error) {
	for d := range t.dirs {
		if err := os.MkdirAll(filepath.Join(root, t.dir(d)), 0o755); err != nil {
			return nil, err
		}
	}
	return t.write(root, 0)
}

// write gives every file the content of a round, which has another size than
// that of the round before: where a file keeps its size for a second, rsync as
// tutorials run it sees no difference, and nothing could be compared. It returns
// what is in the tree then.
func (t tree) write(root string, round int) (*expectation, error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	e, errs := &expectation{files: make([]wanted, t.files)}, make([]error, writers)
	for k := range writers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < t.files && errs[k] == nil; i = int(next.Add(1)) - 1 {
				e.files[t.rank(i)], errs[k] = t.writeFile(root, i, round)
			}
		})
	}
	wg.Wait()
	return e, errors.Join(append(errs, t.seeDirs(root, e))...)
}

// rank is the place of a file in the order of paths, in which rsync copies them:
// in another one the observer would have most of its looks to do at the end.
func (t tree) rank(i int) int {
	d := i % t.dirs
	return d*(t.files/t.dirs) + min(d, t.files%t.dirs) + i/t.dirs
}

// writeFile is os.WriteFile with a look at what was written.
func (t tree) writeFile(root string, i, round int) (wanted, error) {
	path := t.path(i)
	f, err := os.Create(filepath.Join(root, path))
	if err != nil {
		return wanted{}, err
	}
	_, err = f.Write(t.content(i, round))
	var st syscall.Stat_t
	if err == nil {
		err = syscall.Fstat(int(f.Fd()), &st)
	}
	return wantedFile(path, &st), errors.Join(err, f.Close())
}

// seeDirs adds the directories.
func (t tree) seeDirs(root string, e *expectation) error {
	seen := map[string]bool{}
	for d := range t.dirs {
		for dir := t.dir(d); !seen[dir]; dir = strings.TrimPrefix(path.Dir(dir), ".") {
			seen[dir] = true
			var st syscall.Stat_t
			if err := syscall.Lstat(filepath.Join(root, dir), &st); err != nil {
				return &os.PathError{Op: "lstat", Path: dir, Err: err}
			}
			e.dir(dir, &st)
		}
	}
	return nil
}

// words of texts, which compress to about a quarter.
var words = strings.Fields("the quick brown fox jumps over lazy dog while server location error warning info timeout connection refused " +
	"update select from where index configuration request answer")

// content does not compress, unless it is text, and differs in every file and round.
func (t tree) content(i, round int) []byte {
	if t.size == 0 {
		return nil
	}
	n := t.size/2 + i/2*2654435761%t.size + round // and the next is as much larger as this is smaller
	if i%2 == 1 {
		n = 2*t.size - (n - round) + round
	}
	r := rand.NewPCG(uint64(i), uint64(round))
	b := make([]byte, 0, n+16)
	for t.text && len(b) < n {
		b = append(append(b, words[r.Uint64()%uint64(len(words))]...), ' ')
	}
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b[:n]
}
