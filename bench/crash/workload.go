package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gorsyncd/bench/testbed"
)

// workload changes the source: a churn of every kind of change below "tree",
// and files below "ledger" that are only ever replaced whole.
type workload struct {
	src    string
	churn  *testbed.Churn
	rnd    *rand.Rand
	log    *bufio.Writer
	file   *os.File
	ledger *ledger

	mu   sync.Mutex // held for each change: whoever has it has a tree at rest
	quit chan struct{}
	done chan struct{}
}

func newWorkload(w *world) (*workload, error) {
	tree := filepath.Join(w.src, "tree")
	for _, d := range []string{tree, filepath.Join(w.src, "ledger")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	f, err := os.Create(filepath.Join(w.dir, "changes.log"))
	if err != nil {
		return nil, err
	}
	l := &workload{src: w.src, churn: testbed.NewChurn(tree, w.seed), rnd: rand.New(rand.NewPCG(w.seed, 3)), file: f, log: bufio.NewWriter(f), ledger: newLedger()}
	l.churn.Most = 500
	l.churn.Trace = func(op string, paths []string) {
		fmt.Fprintf(l.log, "%s %s %q\n", time.Now().Format("15:04:05.000"), op, paths)
	}
	l.steps(150)
	return l, nil
}

func (l *workload) steps(n int) {
	for range n {
		l.mu.Lock()
		l.churn.Step()
		if l.rnd.IntN(3) == 0 {
			l.replace()
		}
		l.mu.Unlock()
	}
}

// start changes the tree until stop, in bursts: as fast as it goes, or with
// time for a remote to be idle in between.
func (l *workload) start() {
	longest := []int{8, 250, 250}[l.rnd.IntN(3)] // ms
	l.quit, l.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(l.done)
		for {
			l.steps(5)
			l.mu.Lock()
			pause := time.Duration(l.rnd.IntN(longest)) * time.Millisecond
			l.mu.Unlock()
			select {
			case <-l.quit:
				return
			case <-time.After(pause):
			}
		}
	}()
}

func (l *workload) stop() {
	if l.quit == nil {
		return
	}
	close(l.quit)
	<-l.done
	l.quit = nil
	l.log.Flush()
}

// pause keeps the tree at rest until the returned function is called.
func (l *workload) pause() (resume func()) {
	l.mu.Lock()
	return l.mu.Unlock
}

// ledgerFiles is how many files are only ever replaced.
const ledgerFiles = 12

// replace gives one of the ledger's files another content, atomically.
func (l *workload) replace() {
	name := fmt.Sprintf("keep%d", l.rnd.IntN(ledgerFiles))
	data := make([]byte, l.rnd.IntN(20_000))
	for i := range data {
		data[i] = byte('a' + l.rnd.IntN(26))
	}
	tmp := filepath.Join(l.src, ".ledger.tmp")
	if os.WriteFile(tmp, data, 0o644) != nil {
		return // a full disk, one that is away
	}
	sum := sha256.Sum256(data)
	l.ledger.add(name, hex.EncodeToString(sum[:]))
	if os.Rename(tmp, filepath.Join(l.src, "ledger", name)) != nil {
		_ = os.Remove(tmp)
	}
}

// ledger is every content that each file once had.
type ledger struct {
	mu   sync.Mutex
	sums map[string]map[string]bool
}

func newLedger() *ledger { return &ledger{sums: map[string]map[string]bool{}} }

func (l *ledger) add(name, sum string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sums[name] == nil {
		l.sums[name] = map[string]bool{}
	}
	l.sums[name][sum] = true
}

func (l *ledger) knows(name, sum string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sums[name][sum]
}
