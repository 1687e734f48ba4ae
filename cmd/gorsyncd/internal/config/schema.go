package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// Schema is a JSON Schema of the configuration, for editors. It is what the
// decoder itself asks of a document: see sketch. describe says what a key means,
// by its place such as sources[].remotes[].ssh.port; "" for nothing.
func Schema(describe func(place string) string) ([]byte, error) {
	s := &sketch{rep: newReporter(nil), found: map[*yaml.Node]schema{}, describe: describe}
	p := &parser{rep: s.rep, sketch: s}
	root := s.value(func(n *yaml.Node) { p.decode(n) })
	root["$schema"] = "http://json-schema.org/draft-07/schema#" // which every editor has
	root["title"] = "Configuration of gorsyncd"
	root["description"] = "gorsyncd config check finds every mistake, also those that a schema cannot."
	text, err := json.MarshalIndent(root, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return append(text, '\n'), nil
}

type schema map[string]any

// sketch is in a parser that reads no document but records what it asks for. Each
// decoder gets scalars, a list and a mapping in turn: what it takes of these is what
// may stand in its place. So a key that is decoded is in the schema, and there is no
// second list of keys to keep.
type sketch struct {
	rep      *reporter
	found    map[*yaml.Node]schema
	place    []string
	describe func(string) string
}

// probes are what a decoder is given, and what is said of one that it takes without
// asking what is in it.
var probes = []struct {
	kind  yaml.Kind
	value string
	as    schema
}{
	{yaml.ScalarNode, "x", anyText},
	{yaml.ScalarNode, "", schema{"const": ""}}, // which some take for nothing
	{yaml.SequenceNode, "", schema{"type": "array"}},
	{yaml.MappingNode, "", schema{"type": "object"}},
}

// value is what a decoder accepts.
func (s *sketch) value(decode func(*yaml.Node)) schema {
	var kinds []any
	scalar := false
	for _, probe := range probes {
		n := &yaml.Node{Kind: probe.kind, Value: probe.value}
		*s.rep = *newReporter(nil)
		decode(n)
		found, asked := s.found[n]
		switch {
		case asked && probe.kind == yaml.ScalarNode && scalar:
			continue // as for the other scalar
		case !asked && len(s.rep.list) > 0:
			continue
		case !asked:
			found = probe.as.clone()
		}
		scalar = scalar || probe.kind == yaml.ScalarNode
		kinds = append(kinds, found)
	}
	switch len(kinds) {
	case 0:
		return schema{"not": schema{}}
	case 1:
		return kinds[0].(schema)
	}
	return schema{"anyOf": kinds}
}

func (s schema) clone() schema { return maps.Clone(s) }

// needs are the keys without which a mapping is refused when it is resolved, by
// what the decoder calls it; some are the lists that must not be empty.
var (
	needs = map[string][]string{"the configuration": {"sources"}, "a source": {"path"}, "a remote": {"target"}}
	some  = map[string]bool{"sources": true, "remotes": true}
)

func (s *sketch) mapping(n *yaml.Node, what string, known []string, each func(key string, k, v *yaml.Node)) {
	properties := schema{}
	for _, key := range known {
		s.place = append(s.place, key)
		v := s.value(func(v *yaml.Node) { each(key, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, v) })
		if text := s.describe(s.path()); text != "" {
			v["description"] = text
		}
		if def, ok := defaultOf(s.path()); ok {
			v["default"] = def
		}
		properties[key] = v
		s.place = s.place[:len(s.place)-1]
	}
	out := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if needs[what] != nil {
		out["required"] = needs[what]
	}
	s.found[n] = out
}

func (s *sketch) list(n *yaml.Node, key string, each func(*yaml.Node)) {
	s.place = append(s.place, "[]")
	out := schema{"type": "array", "items": s.value(each)}
	s.place = s.place[:len(s.place)-1]
	if some[key] {
		out["minItems"] = 1
	}
	s.found[n] = out
}

// takes tells a sketch what may stand in the place of n, if it is of that kind; what
// is said first counts. A decoder that looks into nodes itself, and not by mapping,
// list and text, calls it for what it takes.
func (p *parser) takes(n *yaml.Node, kind yaml.Kind, as schema) {
	if n = deref(n); p.sketch != nil && n.Kind == kind && p.sketch.found[n] == nil {
		p.sketch.found[n] = as.clone()
	}
}

func (s *sketch) path() string {
	return strings.ReplaceAll(strings.Join(s.place, "."), ".[]", "[]")
}

// defaultOf is the default of a setting, wherever it stands.
func defaultOf(place string) (any, bool) {
	if key, ok := strings.CutPrefix(place, "http."); ok {
		for _, f := range httpFields {
			var v any
			if f.path == key && yaml.Load([]byte(f.def), &v) == nil {
				return v, true
			}
		}
	}
	for _, level := range []string{"defaults.", "sources[].remotes[].", "sources[]."} {
		key, ok := strings.CutPrefix(place, level)
		if !ok {
			continue
		}
		for _, f := range fields {
			var v any
			if f.path == key && yaml.Load([]byte(f.def), &v) == nil {
				return v, true
			}
		}
	}
	return nil, false
}

// What a schema says of values; patternErrorMessage is what editors show. The decoder reads the text as it is written, so
// that "4" is the number 4, and 2024 a name.
var (
	anyText   = schema{"type": []string{"string", "number", "boolean"}}
	aBool     = schema{"enum": []any{true, false, "true", "false"}}
	aDuration = schema{"type": []string{"string", "integer"}, "maximum": 0, "minimum": 0,
		"pattern":             `^(0|\d+d|(\d+d)?((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$`,
		"patternErrorMessage": "a number and a unit, such as 500ms, 10s, 5m, 24h or 7d"}
	aSize = schema{"type": []string{"string", "number"}, "minimum": 0, "pattern": `^\s*(\d+\.?\d*|\.\d+)([KMGTkmgt]?([iI][bB])?)\s*$`,
		"patternErrorMessage": sizeHelp}
	aPath = schema{"type": "string", "pattern": "^/", "patternErrorMessage": "must be an absolute path"}
)

func wholeNumber[T int | uint64](low, high T) schema {
	return schema{"type": []string{"integer", "string"}, "minimum": low, "maximum": high, "pattern": `^\+?\d+$`,
		"patternErrorMessage": fmt.Sprintf("a whole number between %d and %d", low, high)}
}

func oneOf(words []string) schema { return schema{"enum": words} }

// ofType is all that is known of a value by its type.
func ofType(v any) schema {
	switch v.(type) {
	case bool:
		return aBool
	case float64:
		return schema{"type": []string{"number", "string"}}
	}
	return anyText
}

// like gives a parser its schema.
func like[T any](as schema, parse parseFunc[T]) parseFunc[T] {
	return func(p *parser, key string, n *yaml.Node) (T, bool) {
		p.takes(n, yaml.ScalarNode, as)
		return parse(p, key, n)
	}
}
