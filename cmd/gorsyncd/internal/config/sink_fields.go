package config

import (
	"slices"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// sinkField is one key of a sink, as field is one of a remote.
type sinkField = fieldOf[SinkSettings]

func sinkLeaf[T any](path, def string, parse parseFunc[T], at func(*SinkSettings) *T) sinkField {
	return fieldAt(path, "sinks."+path, def, parse, at)
}

// sinkFields is the one table of what a sink may have. docs/sinks.md is checked
// against it.
var sinkFields = []sinkField{
	sinkLeaf("when", Journaled, scalar(checkWhen), func(s *SinkSettings) *string { return &s.When }),
	sinkLeaf("match", "[]", items(checkMatch), func(s *SinkSettings) *[]Item { return &s.Match }),
	sinkLeaf("ops", "[change, remove, resync]", itemOrItems(checkOp), func(s *SinkSettings) *[]Item { return &s.Ops }),
	sinkLeaf("directories", "false", scalar(boolean), func(s *SinkSettings) *bool { return &s.Directories }),
	sinkLeaf("batch", "500", integer(1, 100_000), func(s *SinkSettings) *int { return &s.Batch }),
	sinkLeaf("gather", "100ms", duration(0, time.Hour), func(s *SinkSettings) *time.Duration { return &s.Gather }),
	sinkLeaf("timeout", "60s", duration(time.Second, day), func(s *SinkSettings) *time.Duration { return &s.Timeout }),
	sinkLeaf("rate", "0", scalar(perSecond), func(s *SinkSettings) *float64 { return &s.Rate }),
	sinkLeaf("retry.initial", "1s", duration(10*time.Millisecond, day), func(s *SinkSettings) *time.Duration { return &s.Retry.Initial }),
	sinkLeaf("retry.max", "5m", duration(10*time.Millisecond, 7*day), func(s *SinkSettings) *time.Duration { return &s.Retry.Max }),
	sinkLeaf("retry.jitter", "0.5", scalar(fraction), func(s *SinkSettings) *float64 { return &s.Retry.Jitter }),
	sinkLeaf("format", `""`, sinkFormat, func(s *SinkSettings) *string { return &s.Format }),
	sinkLeaf("reply", "false", scalar(boolean), func(s *SinkSettings) *bool { return &s.Reply }),
	sinkLeaf("command", "[]", command, func(s *SinkSettings) *[]Item { return &s.Command }),
	sinkLeaf("http.url", `""`, scalar(checkURL), func(s *SinkSettings) *string { return &s.HTTP.URL }),
	sinkLeaf("http.method", `""`, scalar(checkMethod), func(s *SinkSettings) *string { return &s.HTTP.Method }),
	sinkLeaf("http.headers", "{}", headerItems, func(s *SinkSettings) *[]Item { return &s.HTTP.Headers }),
	sinkLeaf("http.headers_file", `""`, scalar(absPath), func(s *SinkSettings) *string { return &s.HTTP.HeadersFile }),
	sinkLeaf("http.secret_file", `""`, scalar(secretFilePath), func(s *SinkSettings) *string { return &s.HTTP.SecretFile }),
	sinkLeaf("tcp", `""`, scalar(checkAddress), func(s *SinkSettings) *string { return &s.TCP }),
	sinkLeaf("unix", `""`, scalar(absPath), func(s *SinkSettings) *string { return &s.Unix }),
	sinkLeaf("cdn.site", "[]", itemOrItems(checkSite), func(s *SinkSettings) *[]Item { return &s.CDN.Site }),
	sinkLeaf("cdn.preset", "purge", enum("purge", "cloudflare", "sersync"), func(s *SinkSettings) *string { return &s.CDN.Preset }),
	sinkLeaf("cdn.url", `""`, scalar(checkTemplate), func(s *SinkSettings) *string { return &s.CDN.URL }),
	sinkLeaf("cdn.method", `""`, scalar(checkMethod), func(s *SinkSettings) *string { return &s.CDN.Method }),
	sinkLeaf("cdn.body", `""`, scalar(checkBody), func(s *SinkSettings) *string { return &s.CDN.Body }),
	sinkLeaf("cdn.headers", "{}", headerItems, func(s *SinkSettings) *[]Item { return &s.CDN.Headers }),
	sinkLeaf("cdn.headers_file", `""`, scalar(absPath), func(s *SinkSettings) *string { return &s.CDN.HeadersFile }),
	sinkLeaf("cdn.user", `""`, scalar(checkBody), func(s *SinkSettings) *string { return &s.CDN.User }),
	sinkLeaf("cdn.password_file", `""`, scalar(secretFilePath), func(s *SinkSettings) *string { return &s.CDN.PasswordFile }),
}

var sinkTable = newTable(sinkFields)

// SinkKeys lists every key of a sink.
func SinkKeys() []Key { return sinkTable.keys() }

func sinkFormat(p *parser, key string, n *yaml.Node) (string, bool) {
	if deref(n).Value == "" && deref(n).Kind == yaml.ScalarNode {
		return "", true
	}
	return enum(FormatPaths, FormatJSON, FormatSersync)(p, key, n)
}

func command(p *parser, key string, n *yaml.Node) ([]Item, bool) {
	list, ok := items(checkArg)(p, key, n)
	if !ok {
		return nil, false
	}
	if err := checkProgram(list); err != nil {
		p.fail(deref(n), "%s: %v", key, err)
		return nil, false
	}
	return list, true
}

// headerItems reads a mapping of names to values.
func headerItems(p *parser, key string, n *yaml.Node) ([]Item, bool) {
	n = deref(n)
	if n.Kind != yaml.MappingNode {
		p.fail(n, "%s must be a mapping of names to values, found %s", key, kindName(n))
		return nil, false
	}
	out, good := []Item{}, true
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, ok := p.text(n.Content[i], key)
		value, ok2 := p.text(n.Content[i+1], key+"."+name)
		if !ok || !ok2 {
			good = false
			continue
		}
		line := name + ": " + value
		if _, _, err := outbound.ParseHeader(line); err != nil {
			p.fail(deref(n.Content[i]), "%s: %v", key, err)
			good = false
			continue
		}
		if slices.ContainsFunc([]string{"authorization", "cookie", "proxy-authorization"}, func(s string) bool { return strings.EqualFold(s, name) }) {
			p.fail(deref(n.Content[i]), "%s: %s is a secret: put it into headers_file", key, name)
			good = false
			continue
		}
		out = append(out, Item{Text: line, Pos: p.pos(deref(n.Content[i]))})
	}
	return out, good
}
