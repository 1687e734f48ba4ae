package config

import (
	"errors"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// parser walks YAML nodes. It decodes by hand, because a decoder into structs
// loses the position of a value that is of the right type but not acceptable.
type parser struct {
	file   string
	rep    *reporter
	sketch *sketch // for Schema: what is asked is recorded instead
}

func (p *parser) pos(n *yaml.Node) Pos { return Pos{File: p.file, Line: n.Line, Col: n.Column} }

func (p *parser) fail(n *yaml.Node, format string, args ...any) {
	p.rep.add(p.pos(n), format, args...)
}

// document parses data to the one root node, or reports why there is none.
func (p *parser) document(data []byte) *yaml.Node {
	var doc yaml.Node
	err := yaml.Load(data, &doc)
	if err == nil && doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		return doc.Content[0]
	}
	pos, msg := Pos{File: p.file, Line: 1, Col: 1}, "the file is empty: a configuration needs sources"
	var le *yaml.LoadError
	if errors.As(err, &le) && !strings.Contains(le.Message, "no documents") {
		msg = "not valid YAML: " + strings.TrimPrefix(le.Message, "yaml: ")
		if le.ContextMsg != "" {
			msg += " " + le.ContextMsg
		}
		if le.Mark.Line > 0 {
			pos.Line, pos.Col = le.Mark.Line, le.Mark.Column
		}
	}
	p.rep.add(pos, "%s", msg)
	return nil
}

func deref(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return "a single value"
}

// mapping calls each for every known key of n, once. what names the place in
// messages: `unknown key "x" in a remote`.
func (p *parser) mapping(n *yaml.Node, what string, known []string, each func(key string, k, v *yaml.Node)) {
	n = deref(n)
	if p.sketch != nil && n.Kind == yaml.MappingNode {
		p.sketch.mapping(n, what, known, each)
		return
	}
	if n.Kind != yaml.MappingNode {
		p.fail(n, "%s must be a mapping of keys to values, found %s", what, kindName(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := deref(n.Content[i]), deref(n.Content[i+1])
		if k.Kind != yaml.ScalarNode {
			p.fail(k, "a key must be a word, found %s", kindName(k))
			continue
		}
		key := k.Value
		if line, again := seen[key]; again {
			p.fail(k, "key %q appears twice (first in line %d)", key, line)
			continue
		}
		seen[key] = k.Line
		switch {
		case slices.Contains(known, key):
			each(key, k, v)
		case key == "<<":
			p.fail(k, `merge keys are not supported: put shared settings under "defaults"`)
		case key == "password":
			p.fail(k, `a password must not stand in this file: put it into a file of its own and set password_file`)
		default:
			p.fail(k, "unknown key %q in %s%s", key, what, didYouMean(key, known))
		}
	}
}

// list calls each for every element of n.
func (p *parser) list(n *yaml.Node, key string, each func(*yaml.Node)) bool {
	n = deref(n)
	if p.sketch != nil && n.Kind == yaml.SequenceNode {
		p.sketch.list(n, key, each)
		return true
	}
	if n.Kind != yaml.SequenceNode {
		p.fail(n, "%s must be a list, found %s", key, kindName(n))
		return false
	}
	for _, c := range n.Content {
		each(deref(c))
	}
	return true
}

// text is a scalar's text as written, whatever type YAML would give it: a
// name 2024 is the name "2024".
func (p *parser) text(n *yaml.Node, key string) (string, bool) {
	n = deref(n)
	if p.sketch != nil && n.Kind == yaml.ScalarNode {
		p.takes(n, n.Kind, anyText)
		return "", false
	}
	if n.Kind != yaml.ScalarNode {
		p.fail(n, "%s must be a single value, found %s", key, kindName(n))
		return "", false
	}
	if n.Tag == "!!null" {
		p.fail(n, "%s has no value", key)
		return "", false
	}
	if strings.ContainsRune(n.Value, 0) {
		p.fail(n, "%s holds a NUL byte", key)
		return "", false
	}
	return n.Value, true
}

// item is text with its place.
func (p *parser) item(n *yaml.Node, key string) (Item, bool) {
	s, ok := p.text(n, key)
	return Item{Text: s, Pos: p.pos(deref(n))}, ok
}
