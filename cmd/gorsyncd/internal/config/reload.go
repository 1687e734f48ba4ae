package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/sink"
)

// Has tells whether a remote or sink of a source in the journal is one that c has. It is
// the one place that knows: whatever else keeps a place of its own in the journal
// belongs here, too.
func (c *Config) Has(source, remote string) bool {
	for _, s := range c.Sources {
		if s.Name == source {
			if name, isSink := sink.NameOf(remote); isSink {
				return slices.ContainsFunc(s.Sinks, func(k Sink) bool { return k.Name == name })
			}
			return slices.ContainsFunc(s.Remotes, func(r Remote) bool { return r.Name == remote })
		}
	}
	return false
}

// HasSource tells whether c has a source of that name.
func (c *Config) HasSource(name string) bool {
	return slices.ContainsFunc(c.Sources, func(s Source) bool { return s.Name == name })
}

// runKey is one key outside of the sources.
type runKey struct {
	name string
	get  func(*Config) string
	// keep takes the value of another configuration over; nil for what a running
	// daemon can change.
	keep func(c, from *Config)
}

// runKeys are in the order of the reference.
var runKeys = []runKey{
	{"state_dir", func(c *Config) string { return c.StateDir }, func(c, from *Config) { c.StateDir = from.StateDir }},
	{"socket.path", func(c *Config) string { return c.Socket.Path }, func(c, from *Config) { c.Socket.Path = from.Socket.Path }},
	{"socket.group", func(c *Config) string { return c.Socket.Group }, func(c, from *Config) { c.Socket.Group = from.Socket.Group }},
	{"socket.mode", func(c *Config) string { return value(c.Socket.Mode).Value }, func(c, from *Config) { c.Socket.Mode = from.Socket.Mode }},
	{"journal.retain", func(c *Config) string { return value(c.Journal.Retain).Value }, nil},
	{"journal.max_size", func(c *Config) string { return value(c.Journal.MaxSize).Value }, nil},
	{"journal.verify", func(c *Config) string { return value(c.Journal.Verify).Value }, nil},
	{"journal.ballast", func(c *Config) string { return value(c.Journal.Ballast).Value }, func(c, from *Config) { c.Journal.Ballast = from.Journal.Ballast }},
	{"log.level", func(c *Config) string { return c.Log.Level }, nil},
	{"log.format", func(c *Config) string { return c.Log.Format }, nil},
	{"log.file", func(c *Config) string { return c.Log.File }, nil},
	httpKey("listen"), httpKey("token_file"), httpKey("tls.cert_file"), httpKey("tls.key_file"),
	httpKey("hosts"), httpKey("anonymous_read"), httpKey("insecure"), httpKey("max_clients"),
}

// httpKey is one of http's, all of which a running daemon can change.
func httpKey(path string) runKey {
	return runKey{"http." + path, func(c *Config) string {
		for _, f := range httpFields {
			if f.path != path {
				continue
			}
			if list, ok := f.get(&c.HTTP).([]Item); ok {
				return strings.Join(Texts(list), ", ")
			}
			return value(f.get(&c.HTTP)).Value
		}
		return ""
	}, nil}
}

// KeyChange is a key outside of the sources whose value is another one.
type KeyChange struct {
	Key  string
	Pos  Pos // of the new value
	From string
	To   string
}

func (k KeyChange) String() string {
	from, to := k.From, k.To
	if from == "" {
		from = `""`
	}
	if to == "" {
		to = `""`
	}
	return fmt.Sprintf("%s → %s", from, to)
}

// Follow makes c the successor of the configuration that is running: what only a
// start can change keeps its value and its place, and is in fixed; what else
// differs outside of the sources is in changed.
func (c *Config) Follow(running *Config) (changed, fixed []KeyChange) {
	for _, k := range runKeys {
		from, to := k.get(running), k.get(c)
		if from == to {
			continue
		}
		ch := KeyChange{Key: k.name, Pos: c.origins[k.name], From: from, To: to}
		if k.keep == nil {
			changed = append(changed, ch)
			continue
		}
		fixed = append(fixed, ch)
		k.keep(c, running)
		if c.origins != nil {
			c.origins[k.name] = running.origins[k.name]
		}
	}
	return changed, fixed
}

// Origin is the place of a key outside of the sources.
func (c *Config) Origin(key string) Pos { return c.origins[key] }

// Changed names what distinguishes two configurations of a remote: "target",
// "filter", and settings by their dotted names. Where a value stands in the file
// does not matter, and what belongs to the source is not among it.
func (r Remote) Changed(from Remote) []string {
	var keys []string
	if r.Target != from.Target {
		keys = append(keys, "target")
	}
	if !slices.Equal(r.Filter.Args(), from.Filter.Args()) {
		keys = append(keys, "filter")
	}
	for _, f := range fields {
		if f.sourceOnly || f.path == "filter" || f.path == "exclude" {
			continue
		}
		if !sameValue(f.get(&r.Settings), f.get(&from.Settings)) {
			keys = append(keys, f.path)
		}
	}
	return keys
}

// Changed names what distinguishes two configurations of a watched tree.
func (s Source) Changed(from Source) []string {
	var keys []string
	if s.Path != from.Path {
		keys = append(keys, "path")
	}
	if !slices.Equal(s.Filter.Args(), from.Filter.Args()) {
		keys = append(keys, "filter")
	}
	for _, f := range fields {
		if f.sourceOnly && !sameValue(f.get(&s.settings), f.get(&from.settings)) {
			keys = append(keys, f.path)
		}
	}
	return keys
}

// sameValue compares lists by their text.
func sameValue(a, b any) bool {
	if la, ok := a.([]Item); ok {
		lb, ok := b.([]Item)
		return ok && slices.Equal(Texts(la), Texts(lb))
	}
	return reflect.DeepEqual(a, b)
}

// ForUpkeep tells whether a setting is read at each use by the daemon, and so
// needs no new start of what is replicating.
func ForUpkeep(key string) bool {
	return strings.HasPrefix(key, "full_sync.") || strings.HasPrefix(key, "verify.")
}
