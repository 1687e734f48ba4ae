package main

import (
	"regexp"
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
	guide, err := docs.ReadFile("docs/config.md")
	if err != nil {
		return err
	}
	text, err := config.Schema(keysOf(string(guide)).about)
	if err != nil {
		return err
	}
	return a.print("%s", text)
}

// keyTable is what the guide says of keys: heading, then key.
type keyTable map[string]map[string]string

var (
	keyRow   = regexp.MustCompile("^\\| `([a-z0-9_.]+)` \\|.*?[^\\\\]\\| (.*) \\|$")
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

// about is the row for a place of the configuration, such as
// sources[].remotes[].ssh.port. What has a section of its own is looked for there,
// and then by its full name in every other.
func (t keyTable) about(place string) string {
	for _, level := range []struct{ prefix, heading string }{
		{"sources[].remotes[].", "A remote"}, {"sources[].remotes[].", "Settings"},
		{"sources[].", "A source"}, {"sources[].", "Settings"},
		{"defaults.", "Settings"}, {"", "Top level"},
	} {
		if key, ok := strings.CutPrefix(place, level.prefix); ok {
			if text := t[level.heading][key]; text != "" {
				return text
			}
		}
	}
	full := strings.ReplaceAll(place, "[]", "")
	for _, keys := range t {
		if text := keys[full]; text != "" {
			return text
		}
	}
	return ""
}
