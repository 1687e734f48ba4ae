package config

import (
	"io/fs"
	"path/filepath"
	"time"

	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// Config is a complete configuration with every value resolved.
type Config struct {
	File     string // where it was read; "" when made from arguments
	StateDir string
	Socket   Socket
	Journal  Journal
	Log      Log
	Sources  []Source // at least one, in the order of the file
	Notify   []Notify // in the order of the file

	origins map[string]Pos // of the top-level keys, for Show
}

// Socket is where the control API listens.
type Socket struct {
	Path  string
	Group string // group name or number that owns the socket; "" leaves it
	Mode  fs.FileMode
}

// Journal sets how long and how much the journal keeps.
type Journal struct {
	Retain  time.Duration // acknowledged entries stay this long for inspection
	MaxSize Size          // past this the slowest remote needs a full sync instead
	Verify  time.Duration // between two verifications while running
	Ballast Size          // reserve on its file system
}

// Log sets what the daemon logs.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // auto, text, json, journal
	File   string // absolute; "" is standard error
}

// Source is one watched tree.
type Source struct {
	Name              string
	Path              string // absolute, clean
	Settle, SettleMax time.Duration
	Backend           watch.Backend
	Attributes        Attributes
	Guard             Guard         // of the tree: EmptySource and SameFilesystem
	Filter            *watch.Filter // what is watched; never nil
	Remotes           []Remote
	Sinks             []Sink // at least one of remotes and sinks

	Pos      Pos
	settings Settings // resolved at this level, for Show
	origins  map[string]Pos
}

// Remote is one destination of one source.
type Remote struct {
	Name   string // without the source
	Target replicate.Target
	Settings
	Filter *watch.Filter // the source's rules after the remote's own excludes; never nil

	Pos     Pos
	origins map[string]Pos
}

// FullName is the name everything else uses: source/remote.
func (s Source) FullName(r Remote) string { return s.Name + "/" + r.Name }

// JournalName is the journal's directory inside the state directory.
const JournalName = "journal"

// JournalDir is the journal's directory.
func (c *Config) JournalDir() string { return filepath.Join(c.StateDir, JournalName) }

// SinkNames lists every configured sink as source/sink, in file order.
func (c *Config) SinkNames() []string {
	var out []string
	for _, s := range c.Sources {
		for _, k := range s.Sinks {
			out = append(out, s.FullSinkName(k))
		}
	}
	return out
}

// RemoteNames lists every configured remote as source/remote, in file order.
func (c *Config) RemoteNames() []string {
	var out []string
	for _, s := range c.Sources {
		for _, r := range s.Remotes {
			out = append(out, s.FullName(r))
		}
	}
	return out
}
