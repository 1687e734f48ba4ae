package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/shape"
)

func printedSchema(t *testing.T) map[string]any {
	t.Helper()
	var out bytes.Buffer
	if code := newApp(&out, &out).run([]string{"config", "schema"}); code != 0 {
		t.Fatalf("config schema: exit %d\n%s", code, out.String())
	}
	var doc map[string]any
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func compileDoc(t *testing.T, doc any) *shape.Checker {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	c, err := shape.NewChecker(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEveryKeyInTheSchemaHasARow: in the guide on the configuration, or in one of its
// own. Mappings whose keys have rows need none.
func TestEveryKeyInTheSchemaHasARow(t *testing.T) {
	var visit func(place string, s map[string]any)
	visit = func(place string, s map[string]any) {
		properties, _ := s["properties"].(map[string]any)
		for key, p := range properties {
			p, at := p.(map[string]any), strings.TrimPrefix(place+"."+key, ".")
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			about, ok := documented(at)
			if !ok && !bytes.Contains(text, []byte(`"properties"`)) {
				t.Errorf("%s has no row in docs/config.md", at)
			}
			if about != "" && p["description"] != about {
				t.Errorf("%s: the schema says %v, the guide %q", at, p["description"], about)
			}
			visit(at, p)
		}
		if items, ok := s["items"].(map[string]any); ok {
			visit(place+"[]", items)
		}
		choices, _ := s["anyOf"].([]any)
		for _, c := range choices {
			visit(place, c.(map[string]any))
		}
	}
	visit("", printedSchema(t))
}

// dropRequired makes the schema one of parts of a configuration.
func dropRequired(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "required")
		for _, inner := range v {
			dropRequired(inner)
		}
	case []any:
		for _, inner := range v {
			dropRequired(inner)
		}
	}
}

// TestExamplesFitTheSchema: the reference, and every YAML in the guides, which may be
// a part of a configuration: at its top, below defaults, of a source, or of an element
// of the list that the guide is about.
func TestExamplesFitTheSchema(t *testing.T) {
	doc := printedSchema(t)
	whole := compileDoc(t, doc)
	if err := whole.YAML(config.Reference); err != nil {
		t.Errorf("reference.yaml: %v", err)
	}
	dropRequired(doc)
	part := compileDoc(t, doc)
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")
	onlyComments := regexp.MustCompile(`^(#.*\n)*$`)
	found := 0
	for _, f := range append(files, "../../README.md") {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(text), -1) {
			if onlyComments.MatchString(m[1]) {
				continue
			}
			found++
			err := part.YAML(m[1])
			for _, above := range []string{"defaults:\n", "sources:\n  -\n", "sources:\n  - " + strings.TrimSuffix(filepath.Base(f), ".md") + ":\n    -\n"} {
				if err != nil {
					err = part.YAML(above + regexp.MustCompile("(?m)^").ReplaceAllString(m[1], "      "))
				}
			}
			if err != nil {
				t.Errorf("%s: %v\n%s", f, err, m[1])
			}
		}
	}
	if found < 3 {
		t.Fatalf("only %d examples found", found)
	}
}

func TestSchemaMarksMistakes(t *testing.T) {
	s := compileDoc(t, printedSchema(t))
	for _, good := range []string{"sources: [{path: /a, remotes: ['h::m']}]", "sources: [{path: /a, remotes: [{target: 'h:/p', ssh: {port: 22}}]}]\ndefaults: {workers: 8}"} {
		if err := s.YAML(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"sources: [{path: /a, remotes: ['h::m'], worker: 4}]", "sources: [{remotes: ['h::m']}]", "sources: [{path: /a, remotes: [{target: 'h:/p', ssh: {port: many}}]}]"} {
		if s.YAML(bad) == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

func TestKeysOfTheGuide(t *testing.T) {
	table := keysOf("## Settings\n\n| key | default | meaning |\n|---|---|---|\n| `a.b` | `x` | See [below](#x), | or not. |\n## Hooks\n| `run` | | What. |\n| `on` | `[]` | |\n")
	for key, want := range map[string]string{"a.b": "See below, | or not.", "run": "What.", "on": ""} {
		if got, ok := table.anywhere(key); got != want || !ok {
			t.Errorf("%s: %q %v, want %q", key, got, ok, want)
		}
	}
	if _, ok := table.anywhere("key"); ok {
		t.Error("the head of a table is a row")
	}
	if !strings.Contains(aboutKey("sources[].remotes[].ssh.port"), "Port") {
		t.Error("a setting of a remote is not found")
	}
}
