package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"gorsyncd/replicate"
)

// Options are what a configuration depends on besides its text. The zero
// value uses the environment of the process.
type Options struct {
	// From flags or the environment; they win over the file. "" leaves it.
	StateDir, Socket    string
	LogLevel, LogFormat string
	LogFile             string

	// Used when neither the file nor a flag says anything; "" means those of
	// DefaultPaths for this process.
	DefaultStateDir, DefaultSocket string

	// RealPath follows symlinks as far as a path exists; nil asks the file
	// system.
	RealPath func(string) string
}

func (o Options) withDefaults() Options {
	p := DefaultPaths(os.Getenv, os.Geteuid() == 0)
	if o.DefaultStateDir == "" {
		o.DefaultStateDir = p.StateDir
	}
	if o.DefaultSocket == "" {
		o.DefaultSocket = p.Socket
	}
	if o.RealPath == nil {
		o.RealPath = realPath
	}
	return o
}

// maxFile bounds a configuration file: a mistyped path must not fill memory.
const maxFile = 4 << 20

// Load reads and resolves the file. Faulty content is an *Errors; anything
// else is about reading the file.
func Load(path string, o Options) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("read configuration: %s is larger than %d MiB", path, maxFile>>20)
	}
	return Parse(path, data, o)
}

// Parse resolves the text of a configuration; file names it in messages.
func Parse(file string, data []byte, o Options) (*Config, error) {
	rep := newReporter(data)
	p := &parser{file: file, rep: rep}
	root := p.document(data)
	if root == nil {
		return nil, rep.err()
	}
	c := build(p.decode(root), o.withDefaults(), rep)
	if err := rep.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// argsFile stands for the file in messages about arguments.
const argsFile = "command line"

// FromArgs makes the configuration of `run SOURCE TARGET…`: one source with
// default settings. A relative source, or a local target that begins with a
// dot, is taken from the working directory.
func FromArgs(source string, targets []string, o Options) (*Config, error) {
	rep := newReporter(nil)
	pos := Pos{File: argsFile}
	abs, err := filepath.Abs(source)
	if err != nil {
		return nil, fmt.Errorf("find the source: %w", err)
	}
	if source == "" || len(targets) == 0 {
		return nil, errors.New("a source and at least one target are needed")
	}
	rs := rawSource{pos: pos, path: Item{Text: abs, Pos: pos}, settings: level{}}
	for _, t := range targets {
		if t == "." || t == ".." || strings.HasPrefix(t, "./") || strings.HasPrefix(t, "../") {
			if t, err = filepath.Abs(t); err != nil {
				return nil, fmt.Errorf("find the target: %w", err)
			}
		}
		rs.remotes = append(rs.remotes, rawRemote{pos: pos, target: Item{Text: t, Pos: pos}, settings: level{}})
	}
	uniqueNames(rs.remotes)
	c := build(&raw{file: argsFile, root: pos, defaults: level{}, sources: []rawSource{rs}}, o.withDefaults(), rep)
	if err := rep.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// uniqueNames numbers the default names that would clash: on a command line
// there is no place to write one.
func uniqueNames(remotes []rawRemote) {
	used := map[string]int{}
	for i := range remotes {
		r := &remotes[i]
		t, err := replicate.ParseTarget(r.target.Text)
		if err != nil {
			continue // build reports it
		}
		base := defaultName(t)
		used[base]++
		if n := used[base]; n > 1 {
			r.name = Item{Text: fmt.Sprintf("%s-%d", base, n), Pos: r.pos}
		}
	}
}

// realPath follows the symlinks of the longest part of p that exists.
func realPath(p string) string {
	rest := ""
	for dir := p; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest)
		}
		if dir == "/" || dir == "." {
			return p
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

// Peek reads only where the socket and the state directory of a configuration
// are, whatever else is wrong with it: a command must find the daemon that
// still runs with the configuration before a mistake. "" for what is not set.
func Peek(path string) (socket, stateDir string) {
	data, err := os.ReadFile(path)
	if err != nil || len(data) > maxFile {
		return "", ""
	}
	p := &parser{file: path, rep: newReporter(nil)}
	root := p.document(data)
	if root == nil {
		return "", ""
	}
	r := &raw{}
	p.mapping(root, "the configuration", []string{"socket", "state_dir"}, func(key string, _, v *yaml.Node) {
		switch key {
		case "socket":
			r.socket = p.socket(v)
		case "state_dir":
			r.stateDir = p.absItem(v, key)
		}
	})
	return r.socket.path.Text, r.stateDir.Text
}
