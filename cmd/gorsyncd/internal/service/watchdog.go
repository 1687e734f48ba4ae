package service

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// looksPerPeriod is how often the watchdog looks, and kicks, in its period.
	looksPerPeriod = 4
	// looksInVain are enough to take a loop for one that hangs: a whole period.
	looksInVain = looksPerPeriod + 1
	// commitLimit is what a commit of the journal gets.
	commitLimit = 10 * time.Minute
	// looksAlone is the pause between looks when nobody wants kicks.
	looksAlone = 15 * time.Second
)

// Watchdog looks at the signs of life and kicks as long as there are some.
type Watchdog struct {
	log    *slog.Logger
	every  time.Duration
	kick   func() error // nil when nobody waits for it
	onDisk func() bool  // the kernel has a thread of ours wait for a disk

	mu      sync.Mutex // guards the following
	loops   []*watched
	journal func() (serial uint64, busy bool)
	commit  struct {
		serial uint64
		looks  int // at which it was the same
		vain   int // of these, without a thread that waits for a disk
	}
	waiting []string
	hanging []string
}

// watched is a loop as the last look has seen it.
type watched struct {
	sign  *Sign
	seen  uint64
	vain  int // looks without a sign of life
	waits int // looks at which it was in the same call
}

// NewWatchdog returns one that kicks if n wants it, and only looks otherwise.
func NewWatchdog(n *Notifier, log *slog.Logger) *Watchdog {
	w := &Watchdog{log: log, every: looksAlone, onDisk: onDisk}
	if n != nil && n.period > 0 {
		w.every, w.kick = n.period/looksPerPeriod, n.kick
	}
	return w
}

// Watch adds a loop: what it is, as in "remote www/nas", and what its calls wait
// for, as in "source www".
func (w *Watchdog) Watch(name, needs string) *Sign {
	s := &Sign{name: name, needs: needs}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loops = append(w.loops, &watched{sign: s})
	return s
}

// WatchJournal adds the commits of a journal: how many were begun, and whether
// the last of them is under way.
func (w *Watchdog) WatchJournal(commits func() (serial uint64, busy bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.journal = commits
}

// Waiting tells what loops wait for that have been in one and the same call for
// two looks or more.
func (w *Watchdog) Waiting() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.waiting)
}

// Hanging tells which loops the last look has taken for ones that hang.
func (w *Watchdog) Hanging() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.hanging)
}

// Run looks and kicks until ctx ends.
func (w *Watchdog) Run(ctx context.Context) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		if w.look() && w.kick != nil {
			if err := w.kick(); err != nil {
				w.log.Warn("the watchdog of the service manager cannot be kicked", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look tells whether all that is watched is alive.
func (w *Watchdog) look() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	onDisk := sync.OnceValue(w.onDisk)
	w.loops = slices.DeleteFunc(w.loops, func(l *watched) bool { return l.sign.done.Load() })
	was := w.hanging
	w.waiting, w.hanging = nil, nil
	for _, l := range w.loops {
		if l.look(onDisk); l.waits > 1 && !slices.Contains(w.waiting, l.sign.needs) {
			w.waiting = append(w.waiting, l.sign.needs)
		}
		if l.vain >= looksInVain {
			w.hanging = append(w.hanging, l.sign.name)
		}
	}
	if w.commitHangs(onDisk) {
		w.hanging = append(w.hanging, "a commit of the journal")
	}
	if w.commit.looks > 1 {
		w.waiting = []string{"the disk of the journal"} // whoever waits, waits for it
	}
	switch {
	case len(w.hanging) > 0 && !slices.Equal(was, w.hanging):
		w.log.Error("no sign of life: the watchdog of the service manager is not kicked any more", "hangs", strings.Join(w.hanging, ", "))
	case len(was) > 0 && len(w.hanging) == 0:
		w.log.Warn("there are signs of life again: the watchdog is kicked", "hung", strings.Join(was, ", "))
	}
	return len(w.hanging) == 0
}

func (l *watched) look(onDisk func() bool) {
	s := l.sign
	// In this order: a call that ends in between is a sign of life at the next look.
	rounds, waits := s.Rounds(), s.Waits()
	switch {
	case rounds != l.seen:
		l.seen, l.vain, l.waits = rounds, 0, 0
	case rounds == 0: // it has not begun
	case waits:
		l.vain = 0
		l.waits++
	case onDisk():
		l.vain = 0
	default:
		l.vain++
		l.waits = 0
	}
	if f := s.nudge.Load(); f != nil {
		(*f)()
	}
}

// commitHangs tells whether the same commit has been under way for too long.
func (w *Watchdog) commitHangs(onDisk func() bool) bool {
	if w.journal == nil {
		return false
	}
	c := &w.commit
	serial, busy := w.journal()
	switch {
	case !busy || serial != c.serial:
		c.looks, c.vain = 0, 0
	case onDisk():
		c.looks, c.vain = c.looks+1, 0
	default:
		c.looks, c.vain = c.looks+1, c.vain+1
	}
	c.serial = serial
	return time.Duration(c.vain)*w.every >= commitLimit
}

// onDisk tells whether the kernel has a thread of this process wait for a disk or
// a network file system.
func onDisk() bool {
	files, _ := filepath.Glob("/proc/self/task/*/stat") // a fixed pattern
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		if inDiskWait(b) {
			return true
		}
	}
	return false
}

// inDiskWait reads the state in a line of /proc/PID/stat. It follows the name,
// which may hold anything, in parentheses.
func inDiskWait(stat []byte) bool {
	i := bytes.LastIndexByte(stat, ')')
	return i >= 0 && bytes.HasPrefix(stat[i+1:], []byte(" D"))
}
