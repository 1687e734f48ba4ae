package config

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v4"

	"gorsyncd/cmd/gorsyncd/internal/shape"
)

func compiled(t *testing.T) *shape.Checker {
	t.Helper()
	text, err := Schema(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	c, err := shape.NewChecker(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSchemaTakesWhatIsValid: an editor must not mark what works.
func TestSchemaTakesWhatIsValid(t *testing.T) {
	s := compiled(t)
	var files []string
	for _, p := range []string{"testdata/valid/*.yaml", "reference.yaml", "../sersync/testdata/*.yaml", "../lsyncd/testdata/*.yaml"} {
		files = append(files, glob(t, p)...)
	}
	for _, f := range files {
		text := read(t, f)
		if _, err := Parse(filepath.Base(f), text, fixed); err != nil {
			continue // of an import, for a person to complete
		}
		if err := s.YAML(string(text)); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// TestSchemaRefuses: each of these is one mistake in a file that is valid without
// it, and the program refuses it, too.
func TestSchemaRefuses(t *testing.T) {
	s := compiled(t)
	const good = "sources: [{path: /a, remotes: ['h::m', {target: 'i:/p'}]}]\n"
	parse(t, good)
	if err := s.YAML(good); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"", "[]", "sources: what", "sources: []", "state_dir: /s",
		"syncs: []\n" + good,
		"sources: [{remotes: ['h::m']}]", "sources: [{path: /a, remotes: []}]", "sources: [/a]",
		"sources: [{path: a, remotes: ['h::m']}]", "sources: [{path: /a, remotes: 'h::m'}]", "sources: [{path: /a, remotes: [[x]]}]",
		"sources: [{path: /a, remotes: [{name: x}]}]", "sources: [{path: /a, remotes: [{targt: 'h::m'}]}]", "sources: [{path: /a, remotes: [null]}]",
		"sources: [{path: /a, password: x, remotes: ['h::m']}]",
		good + "defaults: [workers]", good + "defaults: {workers: many}", good + "defaults: {workers: 65}", good + "defaults: {workers: 1.5}",
		good + "defaults: {worker: 4}", good + "defaults: {settle: 5}", good + "defaults: {settle: soon}", good + "defaults: {settle: 5 s}",
		good + "defaults: {batch: {files: 10, byte: 1}}", good + "defaults: {batch: {bytes: 2GB}}", good + "defaults: {bwlimit: fast}",
		good + "defaults: {delete: some}", good + "defaults: {fsync: yes}", good + "defaults: {fsync: 1}", good + "defaults: {rsync: rsync}",
		good + "defaults: {exclude: '*.o'}", good + "defaults: {filter: {a: b}}", good + "defaults: {window: {a: b}}",
		good + "defaults: {retry: {jitter: [1]}}", good + "defaults: {full_sync: {on_start: sometimes}}", good + "defaults: {verify: {schedule: []}}",
		good + "socket: run/s", good + "socket: {path: /s, owner: me}", good + "socket: []", good + "state_dir: [1]",
		good + "http: {listen: [a]}", good + "http: {port: 80}", good + "http: {listen: '127.0.0.1:1', max_clients: 0}", good + "http: {listen: '127.0.0.1:1', hosts: x}",
		good + "http: {listen: '127.0.0.1:1', insecure: perhaps}", good + "http: {listen: '127.0.0.1:1', tls: {cert: /x}}", good + "http: '127.0.0.1:1'",
		good + "log: {level: loud}", good + "log: info", good + "journal: {retain: 60}", good + "journal: {max_size: 2GB}",
	} {
		if _, err := Parse("test.yaml", []byte(text), fixed); err == nil {
			t.Errorf("the program takes %q", text)
		}
		if s.YAML(text) == nil {
			t.Errorf("the schema takes %q", text)
		}
	}
}

// TestSchemaAgreesOnValues: every setting, with values
// of all kinds: what the program takes the schema takes.
func TestSchemaAgreesOnValues(t *testing.T) {
	s := compiled(t)
	values := strings.Split(`0|1|4|64|65|-1|1.5|2.0|"4"|true|false|"true"|yes|""|"x"|2ms|500ms|10s|1h30m|1d|7d12h|.5s|5|0d|1m5|256M|1.5G|2T|10KiB|5mib|2GB|"1 M"|1e3|`+
		`auto|inotify|none|tracked|if_needed|/a/b|~/x|off|"@daily"|"0 4 * * 6"|"22:00-06:00"|[]|[a]|["-A"]|["*.o"]|["- *.o"]|["22:00-06:00"]|{}|null|[[]]|["Compression=no"]`, "|")
	taken := map[string]int{}
	for _, f := range fields {
		for _, v := range append([]string{f.def}, values...) {
			text := f.path + ": " + v
			if head, tail, ok := strings.Cut(f.path, "."); ok {
				text = head + ": {" + tail + ": " + v + "}"
			}
			for _, whole := range []string{
				"sources: [{path: /a, remotes: ['h::m', 'i:/p']}]\ndefaults: {" + text + "}",
				"sources: [{path: /a, remotes: [{target: 'h:/p', " + text + "}]}]",
			} {
				if _, err := Parse("test.yaml", []byte(whole), fixed); err != nil {
					continue
				}
				taken[f.path]++
				if err := s.YAML(whole); err != nil {
					t.Errorf("%s: %v", whole, err)
				}
			}
		}
		if taken[f.path] == 0 {
			t.Errorf("no value of %s was taken", f.path)
		}
	}
}

// TestSchemaHasEverySetting: at each of the three places, with its default.
func TestSchemaHasEverySetting(t *testing.T) {
	text, err := Schema(func(place string) string { return "about " + place })
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		for _, level := range []string{"defaults.", "sources[].", "sources[].remotes[]."} {
			p := root
			for key := range strings.SplitSeq(strings.ReplaceAll(level+f.path, "[]", ".[]"), ".") {
				p = under(p, key)
			}
			var def any
			if err := yaml.Load([]byte(f.def), &def); err != nil {
				t.Fatal(err)
			}
			want, _ := json.Marshal(def)
			got, _ := json.Marshal(p["default"])
			if !bytes.Equal(got, want) || p["description"] != "about "+level+f.path {
				t.Errorf("%s%s: default %s, want %s; description %v", level, f.path, got, want, p["description"])
			}
		}
	}
}

// under is the schema of a key, or of the elements.
func under(s map[string]any, key string) map[string]any {
	choices, ok := s["anyOf"].([]any)
	if !ok {
		choices = []any{s}
	}
	for _, c := range choices {
		c := c.(map[string]any)
		if key == "[]" {
			if items, ok := c["items"].(map[string]any); ok {
				return items
			}
			continue
		}
		if properties, ok := c["properties"].(map[string]any); ok {
			if p, ok := properties[key].(map[string]any); ok {
				return p
			}
		}
	}
	return nil
}

// TestSketchOfADecoderThatLooksItself: one that does not ask for what it takes is in
// the schema as far as can be seen from without.
func TestSketchOfADecoderThatLooksItself(t *testing.T) {
	s := &sketch{rep: newReporter(nil), found: map[*yaml.Node]schema{}, describe: func(string) string { return "" }}
	p := &parser{rep: s.rep, sketch: s}
	for want, decode := range map[string]func(*yaml.Node){
		`{"anyOf":[{"enum":["a","b"]},{"const":""}]}`: func(n *yaml.Node) {
			if n.Kind != yaml.ScalarNode || n.Value != "" {
				enum("a", "b")(p, "key", n)
			}
		},
		`{"anyOf":[{"type":"string"},{"additionalProperties":{"type":"string"},"type":"object"}]}`: func(n *yaml.Node) {
			p.takes(n, yaml.ScalarNode, schema{"type": "string"})
			p.takes(n, yaml.MappingNode, schema{"type": "object", "additionalProperties": schema{"type": "string"}})
			p.fail(n, "it is empty")
		},
		`{"type":"object"}`: func(n *yaml.Node) {
			if n.Kind != yaml.MappingNode {
				p.fail(n, "must be a mapping")
			}
		},
		`{"not":{}}`: func(n *yaml.Node) { p.fail(n, "no") },
	} {
		got, err := json.Marshal(s.value(decode))
		if err != nil || string(got) != want {
			t.Errorf("got %s %v, want %s", got, err, want)
		}
	}
}
