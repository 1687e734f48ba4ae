package shape

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Strict checks documents against a schema, and refuses keys that it does not
// describe. A reader is told to ignore them; a test must find them.
type Strict struct{ compiled *jsonschema.Schema }

// NewStrict compiles a schema.
func NewStrict(schema []byte) (*Strict, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	seal(doc)
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
	return &Strict{s}, nil
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
func (s *Strict) Lines(text string) error {
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
