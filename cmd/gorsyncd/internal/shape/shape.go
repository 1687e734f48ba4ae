package shape

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Generator makes schemas.
type Generator struct{ src *source }

// New returns a Generator for the types of module, whose source is in dir.
func New(module, dir string) *Generator {
	return &Generator{src: &source{module: module, dir: dir, packages: map[string]*comments{}}}
}

// shaper is a type with a MarshalJSON: what it writes looks like the result.
type shaper interface{ JSONShape() any }

// Schema is the schema of what json.Marshal makes of v. Several values stand for
// a choice, such as the kinds of lines of a stream.
func (g *Generator) Schema(v ...any) (map[string]any, error) {
	var all []any
	for _, one := range v {
		s, err := g.of(reflect.TypeOf(one))
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if len(all) == 1 {
		return all[0].(map[string]any), nil
	}
	return map[string]any{"anyOf": all}, nil
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	shaperType = reflect.TypeFor[shaper]()
	jsonType   = reflect.TypeFor[json.Marshaler]()
)

func (g *Generator) of(t reflect.Type) (map[string]any, error) {
	switch {
	case t.Kind() == reflect.Pointer:
		s, err := g.of(t.Elem())
		return map[string]any{"anyOf": []any{s, map[string]any{"type": "null"}}}, err
	case t == timeType:
		return map[string]any{"type": "string", "format": "date-time"}, nil
	case t.Implements(shaperType):
		return g.of(reflect.TypeOf(reflect.Zero(t).Interface().(shaper).JSONShape()))
	case t.Implements(jsonType):
		return nil, fmt.Errorf("%v has MarshalJSON, but no JSONShape", t)
	}
	switch t.Kind() {
	case reflect.Struct:
		return g.object(t)
	case reflect.Slice:
		s, err := g.of(t.Elem())
		return map[string]any{"type": "array", "items": s}, err
	case reflect.Map:
		s, err := g.of(t.Elem())
		return map[string]any{"type": "object", "additionalProperties": s}, err
	case reflect.String:
		return g.word(t)
	}
	return plain(t)
}

func plain(t reflect.Type) (map[string]any, error) {
	switch k := t.Kind(); {
	case k == reflect.Bool:
		return map[string]any{"type": "boolean"}, nil
	case k >= reflect.Int && k <= reflect.Int64:
		return map[string]any{"type": "integer"}, nil
	case k >= reflect.Uint && k <= reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}, nil
	case k == reflect.Float64, k == reflect.Float32:
		return map[string]any{"type": "number"}, nil
	}
	return nil, fmt.Errorf("%v has no place in a document", t)
}

// word is a string, one of the constants if its type has some.
func (g *Generator) word(t reflect.Type) (map[string]any, error) {
	s := map[string]any{"type": "string"}
	c, err := g.src.of(t.PkgPath())
	if err != nil || c == nil {
		return s, err
	}
	if words := c.words[t.Name()]; len(words) > 0 {
		s["enum"] = words
	}
	return s, nil
}

func (g *Generator) object(t reflect.Type) (map[string]any, error) {
	properties, required := map[string]any{}, []string{}
	for _, f := range fieldsOf(t) {
		s, err := g.of(f.Type)
		if err != nil {
			return nil, fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
		c, err := g.src.of(f.owner.PkgPath())
		if err != nil {
			return nil, err
		}
		if c != nil {
			if text := c.fields[f.owner.Name()+"."+f.Name]; text != "" {
				s["description"] = text
			}
		}
		properties[f.key] = s
		if !f.optional {
			required = append(required, f.key)
		}
	}
	slices.Sort(required)
	return map[string]any{"type": "object", "properties": properties, "required": required}, nil
}

// field is a key of the document.
type field struct {
	reflect.StructField
	key      string
	owner    reflect.Type
	optional bool
}

// fieldsOf are the keys that encoding/json writes: of equal ones that of the
// outermost struct.
func fieldsOf(t reflect.Type) []field {
	type level struct {
		t        reflect.Type
		optional bool
	}
	var out []field
	seen := map[string]bool{}
	for now := []level{{t, false}}; len(now) > 0; {
		var next []level
		var found []field
		for _, l := range now {
			for i := range l.t.NumField() {
				f := l.t.Field(i)
				name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
				if inner, pointer := embedded(f); inner != nil && name == "" {
					next = append(next, level{inner, l.optional || pointer})
					continue
				}
				if !f.IsExported() || name == "-" {
					continue
				}
				if name == "" {
					name = f.Name
				}
				found = append(found, field{f, name, l.t, l.optional || strings.Contains(options, "omit")})
			}
		}
		for _, f := range found {
			if !seen[f.key] {
				out = append(out, f)
			}
		}
		for _, f := range found {
			seen[f.key] = true
		}
		now = next
	}
	return out
}

func embedded(f reflect.StructField) (t reflect.Type, pointer bool) {
	if !f.Anonymous {
		return nil, false
	}
	t = f.Type
	if t.Kind() == reflect.Pointer {
		t, pointer = t.Elem(), true
	}
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	return t, pointer
}
