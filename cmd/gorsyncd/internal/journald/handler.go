package journald

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	identifier = "gorsyncd"
	prefix     = "GORSYNCD_"
	// longestName is how long the name of a field may be.
	longestName = 64
)

// Handler is a slog.Handler that sends to the journal.
type Handler struct {
	out    *socket
	level  slog.Leveler
	attrs  []slog.Attr // with the groups in their keys
	groups string      // in front of keys, each with a dot behind
}

var _ slog.Handler = (*Handler)(nil)

// New returns a Handler for the journal of this machine, an error where there is
// none.
func New(level slog.Leveler) (*Handler, error) { return newAt(socketPath, level) }

func newAt(path string, level slog.Leveler) (*Handler, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("find the journal of systemd: %w", err)
	}
	out, err := openSocket(path)
	if err != nil {
		return nil, err
	}
	return &Handler{out: out, level: level}, nil
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = slices.Clone(h.attrs)
	for _, a := range attrs {
		c.attrs = flatten(c.attrs, h.groups, a)
	}
	return &c
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.groups += name + "."
	}
	return &c
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = flatten(attrs, h.groups, a)
		return true
	})
	line, err := text(ctx, r, attrs)
	if err != nil {
		return err
	}
	var e entry
	e.add("MESSAGE", line)
	e.add("PRIORITY", priority(r.Level))
	e.add("SYSLOG_IDENTIFIER", identifier)
	if id := idOf(r.Message); id != "" {
		e.add("MESSAGE_ID", id)
	}
	for _, f := range fields(attrs) {
		e.add(f.Key, f.Value.String())
	}
	return h.out.send(e)
}

// flatten appends an attribute, or those of a group, with resolved values.
func flatten(to []slog.Attr, groups string, a slog.Attr) []slog.Attr {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() == slog.KindGroup {
		if a.Key != "" {
			groups += a.Key + "."
		}
		for _, b := range a.Value.Group() {
			to = flatten(to, groups, b)
		}
		return to
	}
	if a.Key == "" {
		return to
	}
	a.Key = groups + a.Key
	return append(to, a)
}

// text is the message with its attributes, as slog's text has them.
func text(ctx context.Context, r slog.Record, attrs []slog.Attr) (string, error) {
	var b bytes.Buffer
	bare := slog.NewRecord(time.Time{}, r.Level, "", 0)
	bare.AddAttrs(attrs...)
	known := func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.LevelKey || a.Key == slog.MessageKey && a.Value.String() == "") {
			return slog.Attr{}
		}
		return a
	}
	if err := slog.NewTextHandler(&b, &slog.HandlerOptions{Level: r.Level, ReplaceAttr: known}).Handle(ctx, bare); err != nil {
		return "", fmt.Errorf("write a log message: %w", err)
	}
	return strings.TrimRight(r.Message+" "+strings.TrimSpace(b.String()), " "), nil
}

// fields are the attributes as the journal has them.
func fields(attrs []slog.Attr) []slog.Attr {
	var out []slog.Attr
	source, remote := "", ""
	for _, a := range attrs {
		v := valueText(a.Value)
		switch {
		case a.Key == "source" && strings.HasPrefix(v, "/"):
			out = append(out, slog.String(prefix+"ROOT", v)) // package watch knows the tree by its path
		case a.Key == "source", a.Key == "name":
			source = v
		case a.Key == "remote":
			remote = v
		default:
			out = append(out, slog.String(fieldName(a.Key), v))
		}
	}
	if before, _, full := strings.Cut(remote, "/"); full {
		source = before
	} else if remote != "" && source != "" {
		remote = source + "/" + remote
	}
	if source != "" {
		out = append(out, slog.String(prefix+"SOURCE", source))
	}
	if remote != "" {
		out = append(out, slog.String(prefix+"REMOTE", remote))
	}
	return out
}

// valueText is what a value is without any quotes.
func valueText(v slog.Value) string {
	switch v.Kind() {
	case slog.KindTime:
		return v.Time().UTC().Format(time.RFC3339Nano)
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			return err.Error()
		}
	}
	return v.String()
}

// fieldName makes a valid name of a key: A-Z, 0-9 and _.
func fieldName(key string) string {
	name := prefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
	return name[:min(len(name), longestName)]
}

// priority is that of syslog(3).
func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "3"
	case l >= slog.LevelWarn:
		return "4"
	case l >= slog.LevelInfo:
		return "6"
	}
	return "7"
}
