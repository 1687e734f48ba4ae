package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

func (a *app) schemaCommand() *cli.Command {
	return &cli.Command{
		Name:  "schema",
		Usage: "print a JSON Schema of the configuration, for editors",
		Description: `With it an editor that has a yaml-language-server completes keys and marks
mistakes. The packages install it; the configuration names it in a line at its top:

   # yaml-language-server: $schema=/usr/share/gorsyncd/gorsyncd.schema.json

EXAMPLE
   gorsyncd config schema > gorsyncd.schema.json`,
		Action: a.configSchema,
	}
}

func (a *app) configSchema(c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	text, err := config.Schema(aboutKey)
	if err != nil {
		return err
	}
	return a.print("%s", text)
}

// keyTable is what a guide says of keys: heading, then key.
type keyTable map[string]map[string]string

var (
	keyRow   = regexp.MustCompile("^\\| `([a-z0-9_.]+)` \\|.*?[^\\\\]\\|\\s*(.*?)\\s*\\|$")
	linkText = regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)
)

func keysOf(guide string) keyTable {
	t := keyTable{}
	heading := ""
	for line := range strings.Lines(guide) {
		line = strings.TrimSpace(line)
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = h
			t[heading] = map[string]string{}
			continue
		}
		if m := keyRow.FindStringSubmatch(line); m != nil && t[heading] != nil {
			t[heading][m[1]] = linkText.ReplaceAllString(m[2], "$1")
		}
	}
	return t
}

// anywhere is the row of a key under whatever heading.
func (t keyTable) anywhere(key string) (string, bool) {
	for _, heading := range slices.Sorted(maps.Keys(t)) {
		if text, ok := t[heading][key]; ok {
			return text, true
		}
	}
	return "", false
}

// aboutKey is what the guides say of a place of the configuration, such as
// sources[].remotes[].ssh.port; "" for nothing.
func aboutKey(place string) string {
	text, _ := documented(place)
	return text
}

// documented looks a place up in the guide on the configuration. Keys of a list
// that has a guide of its own, such as sources[].sinks[].when, are looked for there.
func documented(place string) (string, bool) {
	t := keysOfGuide("config")
	for _, level := range []struct{ prefix, heading string }{
		{"sources[].remotes[].", "A remote"}, {"sources[].remotes[].", "Settings"},
		{"sources[].", "A source"}, {"sources[].", "Settings"},
		{"defaults.", "Settings"}, {"", "Top level"},
	} {
		if key, ok := strings.CutPrefix(place, level.prefix); ok {
			if text, ok := t[level.heading][key]; ok {
				return text, true
			}
		}
	}
	if i := strings.LastIndex(place, "[]."); i >= 0 {
		list, key := place[:i], place[i+3:]
		list = list[strings.LastIndexByte(list, '.')+1:]
		if text, ok := keysOfGuide(list).anywhere(key); ok {
			return text, true
		}
	}
	return t.anywhere(strings.ReplaceAll(place, "[]", ""))
}

// guideOf names the guides of lists that are called otherwise.
var guideOf = map[string]string{"notify": "notifications"}

// keysOfGuide is empty for a guide that does not exist.
func keysOfGuide(name string) keyTable {
	if other := guideOf[name]; other != "" {
		name = other
	}
	guide, err := docs.ReadFile("docs/" + name + ".md")
	if err != nil {
		return nil
	}
	return keysOf(string(guide))
}
