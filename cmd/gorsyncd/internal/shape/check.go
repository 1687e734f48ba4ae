package shape

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	yaml "go.yaml.in/yaml/v4"
)

// Checker checks documents against a schema.
type Checker struct{ compiled *jsonschema.Schema }

// NewChecker compiles a schema.
func NewChecker(schema []byte) (*Checker, error) { return compile(schema, func(any) {}) }

// NewStrict is NewChecker, but what the schema does not describe is refused. A
// reader is told to ignore such keys; a test must find them.
func NewStrict(schema []byte) (*Checker, error) { return compile(schema, seal) }

func compile(schema []byte, change func(any)) (*Checker, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	change(doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const name = "file:///schema.json"
	if err := c.AddResource(name, doc); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	s, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	return &Checker{s}, nil
}

func seal(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"]; ok && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			seal(inner)
		}
	case []any:
		for _, inner := range v {
			seal(inner)
		}
	}
}

// Lines checks text of which each line is a document.
func (s *Checker) Lines(text string) error {
	for line := range strings.Lines(text) {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err == nil {
			err = s.compiled.Validate(v)
		}
		if err != nil {
			return fmt.Errorf("%w\n%s", err, line)
		}
	}
	return nil
}

// YAML checks a document as an editor does: what YAML makes of its text.
func (s *Checker) YAML(text string) error {
	var v any
	if err := yaml.Load([]byte(text), &v); err != nil {
		return err
	}
	asJSON, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.Lines(string(asJSON))
}
