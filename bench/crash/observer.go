package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"errors"
)

// observer reads the ledger's files on the remotes while faults are injected.
type observer struct {
	w    *world
	seen map[string]bool // on a remote once: must stay
	quit chan struct{}
	done chan struct{}
	once sync.Once

	mu       sync.Mutex
	off      bool
	problems []string
	looks    int
}

func newObserver(w *world) *observer {
	o := &observer{w: w, seen: map[string]bool{}, quit: make(chan struct{}), done: make(chan struct{})}
	o.off = w.row.blind
	go o.run()
	return o
}

func (o *observer) run() {
	defer close(o.done)
	for i := 0; ; i++ {
		select {
		case <-o.quit:
			return
		case <-time.After(3 * time.Millisecond):
		}
		r := o.w.remotes[i%len(o.w.remotes)]
		o.look(r, fmt.Sprintf("keep%d", (i/len(o.w.remotes))%ledgerFiles))
	}
}

func (o *observer) look(r *remote, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.off {
		return
	}
	o.looks++
	key := r.name + "/" + name
	data, err := os.ReadFile(filepath.Join(r.path, "ledger", name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if o.seen[key] {
			o.problem("%s vanished, though the source always had it", key)
		}
		return
	case err != nil:
		return // the disk is away
	}
	o.seen[key] = true
	sum := sha256.Sum256(data)
	if !o.w.load.ledger.knows(name, hex.EncodeToString(sum[:])) {
		o.problem("%s has a content of %d bytes that the source never had", key, len(data))
	}
}

func (o *observer) problem(format string, args ...any) {
	if len(o.problems) < 20 {
		o.problems = append(o.problems, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// blind looks away while a fault changes the remotes' disks themselves; what
// was seen before does not count afterwards.
func (o *observer) blind(b bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.off = b || o.w.row.blind
	clear(o.seen)
}

func (o *observer) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.problems
	o.problems = nil
	return p
}

func (o *observer) stop() {
	o.once.Do(func() { close(o.quit) })
	<-o.done
}

func (o *observer) looked() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.looks
}
