package config

import (
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// fieldOf is one key of settings that S holds.
type fieldOf[S any] struct {
	path       string // dotted: rsync.timeout
	def        string // the default, as YAML
	sourceOnly bool   // a property of the tree: its remotes cannot differ in it
	parse      func(p *parser, n *yaml.Node) (any, bool)
	set        func(*S, any)
	get        func(*S) any
}

// fieldAt ties a key to its place in S; messages call it name.
func fieldAt[S, T any](path, name, def string, parse parseFunc[T], at func(*S) *T) fieldOf[S] {
	return fieldOf[S]{
		path:  path,
		def:   def,
		parse: func(p *parser, n *yaml.Node) (any, bool) { return parse(p, name, n) },
		set:   func(s *S, v any) { *at(s) = v.(T) },
		get:   func(s *S) any { return *at(s) },
	}
}

// table is all keys of settings.
type table[S any] struct {
	fields []fieldOf[S]
	// groups maps each first key to the fields below it; a field without a dot is
	// alone in its group.
	groups   map[string][]fieldOf[S]
	names    []string // of groups, in order
	defaults level
}

func newTable[S any](fields []fieldOf[S]) *table[S] {
	t := &table[S]{fields: fields, groups: map[string][]fieldOf[S]{}, defaults: level{}}
	p := &parser{file: defaultPos.File, rep: newReporter(nil)}
	all := p.defaults(len(fields), func(i int) string { return fields[i].def })
	for i, f := range fields {
		head, _, _ := strings.Cut(f.path, ".")
		if t.groups[head] == nil {
			t.names = append(t.names, head)
		}
		t.groups[head] = append(t.groups[head], f)
		if v, ok := f.parse(p, all[i]); ok {
			t.defaults[f.path] = setting{value: v, pos: defaultPos}
		}
	}
	if err := p.rep.err(); err != nil {
		panic("config: a built-in default is not valid: " + err.Error())
	}
	return t
}

// defaults parses the texts of all defaults as one document: a parser for each of
// them would be what starting a command takes its time for.
func (p *parser) defaults(n int, text func(i int) string) []*yaml.Node {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "- %s\n", text(i))
	}
	doc := p.document([]byte(b.String()))
	if doc == nil || len(doc.Content) != n {
		panic("config: a built-in default is not one value")
	}
	return doc.Content
}

// level is the settings written at one place: defaults, a source, a remote or a sink.
type level map[string]setting

type setting struct {
	value any
	pos   Pos
}

// read reads one first-level key of a place into lv.
func (t *table[S]) read(p *parser, lv level, key string, v *yaml.Node) {
	fs := t.groups[key]
	if fs[0].path == key {
		readLeaf(p, lv, fs[0], v)
		return
	}
	known, byName := []string{}, map[string]fieldOf[S]{}
	for _, f := range fs {
		_, tail, _ := strings.Cut(f.path, ".")
		known = append(known, tail)
		byName[tail] = f
	}
	p.mapping(v, key, known, func(tail string, _, vv *yaml.Node) { readLeaf(p, lv, byName[tail], vv) })
}

func readLeaf[S any](p *parser, lv level, f fieldOf[S], v *yaml.Node) {
	if value, ok := f.parse(p, v); ok {
		lv[f.path] = setting{value: value, pos: p.pos(v)}
	}
}

// resolve fills s with the nearest of what was written, or the default, and returns
// where each value came from by field path.
func (t *table[S]) resolve(s *S, levels ...level) map[string]Pos {
	origins := make(map[string]Pos, len(t.fields))
	for _, f := range t.fields {
		st := t.nearest(f.path, levels)
		f.set(s, st.value)
		origins[f.path] = st.pos
	}
	return origins
}

func (t *table[S]) nearest(path string, levels []level) setting {
	for _, lv := range levels {
		if st, ok := lv[path]; ok {
			return st
		}
	}
	return t.defaults[path]
}

// same tells whether a and b are configured alike. Where a value stands in the file
// does not matter.
func (t *table[S]) same(a, b *S) bool {
	return !slices.ContainsFunc(t.fields, func(f fieldOf[S]) bool { return !sameValue(f.get(a), f.get(b)) })
}

// show adds the values that spell gives a node for to m, grouped as in a file.
func (t *table[S]) show(m *yaml.Node, s *S, from map[string]Pos, spell func(f fieldOf[S], v any) *yaml.Node) {
	for _, name := range t.names {
		into := m
		for _, f := range t.groups[name] {
			n := spell(f, f.get(s))
			if n == nil {
				continue
			}
			key := f.path
			if _, tail, ok := strings.Cut(f.path, "."); ok {
				if into == m {
					into = mappingNode()
					add(m, name, into, "")
				}
				key = tail
			}
			add(into, key, n, comment(from[f.path]))
		}
	}
}

// rawNamed is what was written of a sink or a notifier.
type rawNamed struct {
	pos      Pos
	name     Item
	settings level
	broken   bool
}

// named reads a mapping of a name and settings. The short key may have a scalar, which
// stands for the first key below it.
func (t *table[S]) named(p *parser, n *yaml.Node, what, short string) rawNamed {
	r := rawNamed{pos: p.pos(n), settings: level{}}
	before := len(p.rep.list)
	p.mapping(n, what, slices.Concat([]string{"name"}, t.names), func(key string, _, v *yaml.Node) {
		switch {
		case key == "name":
			r.name, _ = p.item(v, "name")
		case key == short && deref(v).Kind == yaml.ScalarNode:
			readLeaf(p, r.settings, t.groups[key][0], v)
		default:
			t.read(p, r.settings, key, v)
		}
	})
	r.broken = len(p.rep.list) > before
	return r
}

// Key is a setting for the documentation: its dotted name and its default as
// YAML.
type Key struct{ Path, Default string }

func (t *table[S]) keys() []Key {
	out := make([]Key, 0, len(t.fields))
	for _, f := range t.fields {
		out = append(out, Key{f.path, f.def})
	}
	return out
}
