package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
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
	for d := range t.dirs {
		if err := os.MkdirAll(filepath.Join(root, t.dir(d)), 0o755); err != nil {
			return err
		}
	}
	return t.write(root, 0)
}

// write gives every file the content of a round, which has another size than
// that of the round before: where a file keeps its size for a second, rsync as
// tutorials run it sees no difference, and nothing could be compared.
func (t tree) write(root string, round int) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for k := range writers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < t.files; i = int(next.Add(1)) - 1 {
				if errs[k] = os.WriteFile(filepath.Join(root, t.path(i)), t.content(i, round), 0o644); errs[k] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
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
