package config

import (
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// node is a notifier for Show. What of a URL is a secret is masked.
func (n Notify) node() *yaml.Node {
	m := mappingNode()
	add(m, "name", str(n.Name), comment(n.origins["name"]))
	for _, name := range notifyTable.names {
		into := m
		for _, f := range notifyTable.groups[name] {
			v := f.get(&n.NotifySettings)
			if unset(v) || n.hides(f.path) {
				continue
			}
			if f.path == "webhook.url" {
				v = maskURL(n.Webhook.URL)
			}
			key := f.path
			if _, tail, ok := strings.Cut(f.path, "."); ok {
				if into == m {
					into = mappingNode()
					add(m, name, into, "")
				}
				key = tail
			}
			add(into, key, headersOr(f.path, v), comment(n.origins[f.path]))
		}
	}
	return m
}

// hides tells whether a key would have no meaning where it is shown.
func (n Notify) hides(key string) bool {
	switch key {
	case "on", "after", "repeat", "grace":
		return n.Heartbeat > 0
	case "heartbeat":
		return n.Heartbeat == 0
	}
	return strings.HasPrefix(key, "email.") && n.Kind != "email"
}

func maskURL(text string) string { return strings.TrimPrefix(mask("url: "+text), "url: ") }
