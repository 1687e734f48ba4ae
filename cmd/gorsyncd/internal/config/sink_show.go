package config

import (
	"regexp"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// node is a sink for Show: what was not set and depends on the kind is left out.
func (k Sink) node() *yaml.Node {
	m := mappingNode()
	add(m, "name", str(k.Name), comment(k.origins["name"]))
	sinkTable.show(m, &k.SinkSettings, k.origins, func(f sinkField, v any) *yaml.Node {
		if unset(v) || strings.HasPrefix(f.path, "cdn.") && k.Kind != SinkCDN || f.path == "reply" && !k.Reply {
			return nil
		}
		return headersOr(f.path, v)
	})
	return m
}

// secretHeader is a name of a header whose value is a secret as a rule, though it may
// stand in the file.
var secretHeader = regexp.MustCompile(`(?i)key|token|secret|auth|pass|sign|cookie|credential|session`)

// headersOr spells a value as the file would: headers are a mapping. What may be a
// secret in them is not shown: who may see this need not be able to read the file.
func headersOr(path string, v any) *yaml.Node {
	lines, ok := v.([]Item)
	if !ok || !strings.HasSuffix(path, ".headers") {
		return value(v)
	}
	n := mappingNode()
	for _, it := range lines {
		name, text, _ := strings.Cut(it.Text, ": ")
		if secretHeader.MatchString(name) {
			text = "***"
		}
		add(n, name, str(text), "")
	}
	return n
}
