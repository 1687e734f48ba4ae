package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Badger can die of a damaged journal in goroutines of its own, where nobody
// can recover. A service manager then starts the process over and over. So the
// starts that ended that way are counted, and after some of them the journal
// is set aside like one that was found damaged.

const (
	// failedStarts sets the journal aside: three starts that died of it, or
	// twelve that were gone without a word.
	failedStarts = 3 * provenDeath
	provenDeath  = 4
	silentDeath  = 1
	// healthyAfter is how long a process runs whose start has not failed.
	healthyAfter = time.Minute
)

// starts is what is known about the last starts; a file beside the journal.
type starts struct {
	Failed int  `json:"failed"` // deaths in a row, weighted, a start under way included
	Opened bool `json:"opened"` // the last one opened the journal
}

// startGuard counts failed starts. A process that is killed looks like one that
// died; a crash report, which only the runtime writes, tells them apart. One
// that was gone without a report while it opened the journal counts for little:
// Badger may have ended it in a way that leaves none, but as a rule somebody was
// impatient, or the machine went down again and again.
type startGuard struct {
	file, report string
	log          *slog.Logger
	out          *os.File // crash report of this process
	last         string   // how the last process ended; "" if in order

	mu    sync.Mutex
	state starts // guarded by mu
	timer *time.Timer
}

// newStartGuard reads what the last starts left and begins a crash report of
// its own. While another process has the report, which is about to have the
// journal, too, it does nothing.
func newStartGuard(journalDir string, log *slog.Logger) *startGuard {
	g := &startGuard{file: journalDir + ".starts", report: journalDir + ".crash", log: log}
	if err := g.claim(); err != nil {
		log.Warn("failed starts are not counted", "error", err)
		return g
	}
	b, err := os.ReadFile(g.file)
	if err == nil {
		err = json.Unmarshal(b, &g.state)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("count of failed starts is unreadable", "error", err)
	}
	switch died := g.lastDeath(); {
	case died == ofJournal:
		g.state.Failed += provenDeath - silentDeath
	case g.state.Opened:
		g.state.Failed = 0
	case died == ofSignal:
		g.state.Failed = max(0, g.state.Failed-silentDeath)
	}
	return g
}

// claim opens the report and locks it for the life of this process.
func (g *startGuard) claim() error {
	_, missing := os.Stat(g.report)
	f, err := os.OpenFile(g.report, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open crash report: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return fmt.Errorf("lock crash report: %w", err)
	}
	g.out = f
	if missing == nil { // a process that ends in order removes it
		g.last = "the process before this one did not end in order: it was killed, or the machine went down"
	}
	return nil
}

// crashed tells how the process before this one ended; "" if in order.
func (g *startGuard) crashed() string { return g.last }

// death is what the last process has died of, as far as its report tells.
type death uint8

const (
	unknownDeath death = iota
	ofJournal
	// ofSignal is that of a process that somebody had tell where it was: as a
	// rule the watchdog of the service manager, with SIGABRT. Goroutines of
	// Badger's are in every such report, and say nothing about the journal.
	ofSignal
)

// lastDeath judges the report of the last process, keeps it, and has the runtime,
// and Badger's assertions, write the next one.
func (g *startGuard) lastDeath() death {
	b, err := io.ReadAll(g.out)
	if err == nil && len(b) > 0 {
		err = os.WriteFile(g.report+".last", b, 0o600)
	}
	if err == nil {
		err = g.out.Truncate(0)
	}
	if err == nil {
		err = debug.SetCrashOutput(g.out, debug.CrashOptions{})
	}
	if err != nil {
		g.log.Warn("crashes cannot be reported", "error", err)
	}
	log.SetOutput(assertions{g.out})
	first, _, _ := strings.Cut(string(b), "\n")
	switch {
	case strings.HasPrefix(first, "SIGABRT: ") || strings.HasPrefix(first, "SIGQUIT: "):
		g.last = "the process before this one was ended by a signal that has it tell where it was, as the watchdog of the service manager does"
		g.log.Warn("the last process was ended by a signal that has it tell where it was", "error", first, "report", g.report+".last")
		return ofSignal
	case strings.Contains(string(b), "badger"):
		g.last = "the process before this one died of its journal"
		g.log.Error("the last process died of its journal", "error", first, "report", g.report+".last")
		return ofJournal
	case len(b) > 0:
		g.last = "the process before this one crashed: " + first
	}
	return unknownDeath
}

// assertions adds to the report what Badger's assertions, and hardly anything
// else, write to the standard logger before they end the process.
type assertions struct{ report io.Writer }

func (a assertions) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "Assert failed") {
		fmt.Fprintf(a.report, "badger: %s", b) // stderr has it, too
	}
	return os.Stderr.Write(b)
}

// exhausted tells that the journal has to be set aside.
func (g *startGuard) exhausted() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state.Failed >= failedStarts
}

// begin counts a start until it is known to be good. The count is durable.
func (g *startGuard) begin() {
	g.set(func(s *starts) { s.Failed, s.Opened = s.Failed+silentDeath, false })
}

// refused takes begin back: the journal was not opened for a reason that was
// told, and the process is alive.
func (g *startGuard) refused() { g.set(func(s *starts) { s.Failed = max(0, s.Failed-silentDeath) }) }

// opened notes that the journal is open; after a minute the start was good.
func (g *startGuard) opened() {
	g.set(func(s *starts) { s.Opened = true })
	g.mu.Lock()
	defer g.mu.Unlock()
	g.timer = time.AfterFunc(healthyAfter, g.forget)
}

// forget begins a new count.
func (g *startGuard) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state = starts{}
	if g.out == nil {
		return
	}
	if err := os.Remove(g.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.log.Warn("count of failed starts cannot be reset", "error", err)
	}
}

// end is for a process that ends without a crash.
func (g *startGuard) end() {
	g.mu.Lock()
	timer := g.timer
	g.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	g.forget()
	g.close()
}

// close ends the reports of this process.
func (g *startGuard) close() {
	if g.out == nil {
		return
	}
	log.SetOutput(os.Stderr)
	_ = debug.SetCrashOutput(nil, debug.CrashOptions{}) // the process is about to end
	_ = os.Remove(g.report)                             // an empty one says the same
	g.out.Close()
}

// set changes the state and writes it. Without space for it a start is merely
// not counted.
func (g *startGuard) set(change func(*starts)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.state)
	if g.out == nil {
		return
	}
	b, err := json.Marshal(g.state)
	if err == nil {
		err = writeFile(g.file, append(b, '\n'))
	}
	if err != nil {
		g.log.Warn("count of failed starts cannot be written", "error", err)
	}
}

// writeFile replaces a file durably.
func writeFile(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".starts-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is none
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return err
}
