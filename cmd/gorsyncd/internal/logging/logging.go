// Package logging is the daemon's log: its level, format and file can change while
// it is in use.
//
//	l, err := logging.Open(os.Stderr, conf.Log)
//	log := l.Logger()
//	err = l.Set(next.Log)      // what was made from log before follows
//
// No line is lost or cut by a change: those under way are written to the end first.
package logging

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/journald"
	"gorsyncd/cmd/gorsyncd/internal/logfile"
	"gorsyncd/cmd/gorsyncd/internal/names"
)

// Log is where the lines go.
type Log struct {
	std   io.Writer // without a file
	level slog.LevelVar

	mu   sync.RWMutex // held for reading while a line is written; guards the following
	conf config.Log
	file *logfile.Writer // nil for std
	to   slog.Handler    // without attributes
	gen  uint64          // of to
}

// Open begins a log; std is what it is written to without a file.
func Open(std io.Writer, c config.Log) (*Log, error) {
	l := &Log{std: std}
	return l, l.Set(c)
}

// Logger writes to the log as it is at each line.
func (l *Log) Logger() *slog.Logger { return slog.New(&handler{log: l}) }

// Set changes the log. An error is about the file, and nothing has changed then.
func (l *Log) Set(c config.Log) error {
	l.mu.RLock()
	file, same := l.file, l.to != nil && l.conf.File == c.File
	l.mu.RUnlock()
	if !same {
		var err error
		if file, err = open(c.File); err != nil {
			return err
		}
	}
	to, err := l.newHandler(file, c.Format)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.file; old != nil && old != file {
		old.Close()
	}
	l.level.Set(levels[c.Level])
	l.conf, l.file, l.to = c, file, to
	l.gen++
	return nil
}

// open returns nil for no file.
func open(name string) (*logfile.Writer, error) {
	if name == "" {
		return nil, nil
	}
	return logfile.Open(name)
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// newHandler writes to a file, to the journal of systemd where standard error is
// connected to it or the format says so, or to standard error.
func (l *Log) newHandler(file *logfile.Writer, format string) (slog.Handler, error) {
	w := l.std
	if file == nil && (format == "journal" || format == "auto" && journald.OnStderr()) {
		h, err := journald.New(&l.level)
		switch {
		case err == nil:
			return h, nil
		case format == "journal":
			return nil, fmt.Errorf("log.format is journal: %w; set it to auto, or to text", err)
		}
	}
	if file != nil {
		w = file
	}
	o := &slog.HandlerOptions{Level: &l.level}
	if format == "json" {
		return slog.NewJSONHandler(names.JSONWriter(w), o), nil
	}
	return slog.NewTextHandler(w, o), nil
}

// handler is a logger's side of it, with what was added to the logger.
type handler struct {
	log  *Log
	with []func(slog.Handler) slog.Handler
	made atomic.Pointer[made]
}

// made is the log's handler with all that was added.
type made struct {
	slog.Handler
	gen uint64
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.log.level.Level()
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	h.log.mu.RLock()
	defer h.log.mu.RUnlock()
	m := h.made.Load()
	if m == nil || m.gen != h.log.gen {
		m = &made{h.log.to, h.log.gen}
		for _, with := range h.with {
			m.Handler = with(m.Handler)
		}
		h.made.Store(m)
	}
	return m.Handle(ctx, r)
}

func (h *handler) add(with func(slog.Handler) slog.Handler) slog.Handler {
	return &handler{log: h.log, with: append(h.with[:len(h.with):len(h.with)], with)}
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.add(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return h.add(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}
