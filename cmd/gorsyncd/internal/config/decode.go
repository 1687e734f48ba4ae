package config

import (
	"slices"
	"time"

	yaml "go.yaml.in/yaml/v4"
)

// raw is a configuration as written: types are right, nothing is resolved.
type raw struct {
	file     string
	stateDir Item
	socket   rawSocket
	journal  struct{ retain, maxSize, verify, ballast setting }
	log      struct{ level, format, file setting }
	http     level
	defaults level
	sources  []rawSource
	notify   []rawNamed
	root     Pos
}

type rawSocket struct {
	path, group Item
	mode        setting
}

type rawSource struct {
	pos      Pos
	name     Item
	path     Item
	settings level
	remotes  []rawRemote
	sinks    []rawNamed
	broken   bool // an error in it has been reported: what is missing may follow from that
}

type rawRemote struct {
	pos      Pos
	name     Item
	target   Item
	settings level
	broken   bool
}

var topKeys = []string{"state_dir", "socket", "sources", "defaults", "journal", "log", "http", "notify"}

func (p *parser) decode(root *yaml.Node) *raw {
	r := &raw{file: p.file, defaults: level{}, http: level{}, root: p.pos(root)}
	p.mapping(root, "the configuration", topKeys, func(key string, k, v *yaml.Node) {
		switch key {
		case "state_dir":
			r.stateDir = p.absItem(v, key)
		case "socket":
			r.socket = p.socket(v)
		case "defaults":
			r.defaults = p.decodeSettings(v, "defaults")
		case "journal":
			p.journal(v, r)
		case "log":
			p.log(v, r)
		case "http":
			p.http(v, r.http)
		case "notify":
			p.list(v, key, func(n *yaml.Node) { r.notify = append(r.notify, notifyTable.named(p, n, "a notifier", "webhook")) })
		case "sources":
			ok := p.list(v, key, func(n *yaml.Node) { r.sources = append(r.sources, p.source(n)) })
			if ok && len(r.sources) == 0 {
				p.fail(k, "sources is empty: nothing to replicate")
			}
		}
	})
	return r
}

func (p *parser) absItem(n *yaml.Node, key string) Item {
	p.takes(n, yaml.ScalarNode, aPath)
	it, ok := p.item(n, key)
	if !ok {
		return Item{}
	}
	if err := checkAbs(it.Text); err != nil {
		p.fail(deref(n), "%s: %q %v", key, it.Text, err)
		return Item{}
	}
	return it
}

func (p *parser) socket(n *yaml.Node) rawSocket {
	var s rawSocket
	if n = deref(n); n.Kind == yaml.ScalarNode {
		s.path = p.absItem(n, "socket")
		return s
	}
	p.mapping(n, "socket", []string{"path", "group", "mode"}, func(key string, _, v *yaml.Node) {
		switch key {
		case "path":
			s.path = p.absItem(v, "socket.path")
		case "group":
			s.group, _ = p.item(v, "socket.group")
		case "mode":
			s.mode = take(p, v, "socket.mode", scalar(fileMode))
		}
	})
	return s
}

// take reads one value with its place; the zero setting when it is wrong.
func take[T any](p *parser, n *yaml.Node, key string, parse parseFunc[T]) setting {
	if v, ok := parse(p, key, n); ok {
		return setting{value: v, pos: p.pos(n)}
	}
	return setting{}
}

func (p *parser) journal(n *yaml.Node, r *raw) {
	p.mapping(n, "journal", []string{"retain", "max_size", "verify", "ballast"}, func(key string, _, v *yaml.Node) {
		switch key {
		case "retain":
			r.journal.retain = take(p, v, "journal.retain", duration(0, 3650*day))
		case "max_size":
			r.journal.maxSize = take(p, v, "journal.max_size", size(64<<20, maxSize))
		case "verify":
			r.journal.verify = take(p, v, "journal.verify", duration(time.Second, 30*day))
		case "ballast":
			r.journal.ballast = take(p, v, "journal.ballast", size(0, maxSize))
		}
	})
}

func (p *parser) log(n *yaml.Node, r *raw) {
	p.mapping(n, "log", []string{"level", "format", "file"}, func(key string, _, v *yaml.Node) {
		switch key {
		case "level":
			r.log.level = take(p, v, "log.level", enum(LogLevels...))
		case "format":
			r.log.format = take(p, v, "log.format", enum(LogFormats...))
		case "file":
			r.log.file = take(p, v, "log.file", scalar(absPath))
		}
	})
}

// LogLevels and LogFormats are what log may be set to, here and by flags.
var (
	LogLevels  = []string{"debug", "info", "warn", "error"}
	LogFormats = []string{"auto", "text", "json", "journal"}
)

func (p *parser) source(n *yaml.Node) rawSource {
	s := rawSource{pos: p.pos(n), settings: level{}}
	before := len(p.rep.list)
	known := slices.Concat([]string{"name", "path", "remotes", "sinks"}, groupNames)
	p.mapping(n, "a source", known, func(key string, k, v *yaml.Node) {
		switch key {
		case "name":
			s.name, _ = p.item(v, "name")
		case "path":
			s.path = p.absItem(v, "path")
		case "remotes":
			p.list(v, key, func(c *yaml.Node) { s.remotes = append(s.remotes, p.remote(c)) })
		case "sinks":
			p.list(v, key, func(c *yaml.Node) { s.sinks = append(s.sinks, sinkTable.named(p, c, "a sink", "http")) })
		default:
			settings.read(p, s.settings, key, v)
		}
	})
	s.broken = len(p.rep.list) > before
	return s
}

// remote takes a mapping, or a bare string that is the target.
func (p *parser) remote(n *yaml.Node) rawRemote {
	r := rawRemote{pos: p.pos(n), settings: level{}}
	before := len(p.rep.list)
	if n.Kind == yaml.ScalarNode {
		r.target, _ = p.item(n, "a remote")
	} else {
		known := slices.Concat([]string{"name", "target"}, groupNames)
		p.mapping(n, "a remote", known, func(key string, _, v *yaml.Node) {
			switch key {
			case "name":
				r.name, _ = p.item(v, "name")
			case "target":
				r.target, _ = p.item(v, "target")
			default:
				settings.read(p, r.settings, key, v)
			}
		})
	}
	r.broken = len(p.rep.list) > before
	return r
}
