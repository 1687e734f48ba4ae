package config

import (
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// node is a notifier for Show. What of a URL is a secret is masked.
func (n Notify) node() *yaml.Node {
	m := mappingNode()
	add(m, "name", str(n.Name), comment(n.origins["name"]))
	notifyTable.show(m, &n.NotifySettings, n.origins, func(f fieldOf[NotifySettings], v any) *yaml.Node {
		switch {
		case unset(v) || n.hides(f.path):
			return nil
		case f.path == "webhook.url":
			return str(maskURL(n.Webhook.URL))
		}
		return headersOr(f.path, v)
	})
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
