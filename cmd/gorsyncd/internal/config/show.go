package config

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"gorsyncd/watch"
)

// Show renders c as YAML with every value resolved and, behind each, the file
// and line it came from. Reading the result gives the same configuration.
func (c *Config) Show() (string, error) {
	root := mappingNode()
	c.put(root, "state_dir", str(c.StateDir), "state_dir")
	sock := mappingNode()
	c.put(sock, "path", str(c.Socket.Path), "socket.path")
	if c.Socket.Group != "" {
		c.put(sock, "group", str(c.Socket.Group), "socket.group")
	}
	c.put(sock, "mode", str(fmt.Sprintf("%#o", uint32(c.Socket.Mode))), "socket.mode")
	add(root, "socket", sock, "")
	jour := mappingNode()
	c.put(jour, "retain", value(c.Journal.Retain), "journal.retain")
	c.put(jour, "max_size", value(c.Journal.MaxSize), "journal.max_size")
	c.put(jour, "verify", value(c.Journal.Verify), "journal.verify")
	c.put(jour, "ballast", value(c.Journal.Ballast), "journal.ballast")
	add(root, "journal", jour, "")
	log := mappingNode()
	c.put(log, "level", str(c.Log.Level), "log.level")
	c.put(log, "format", str(c.Log.Format), "log.format")
	c.put(log, "file", str(c.Log.File), "log.file")
	add(root, "log", log, "")
	add(root, "http", c.httpNode(), "")
	sources := &yaml.Node{Kind: yaml.SequenceNode}
	for _, s := range c.Sources {
		sources.Content = append(sources.Content, s.node())
	}
	add(root, "sources", sources, "")
	if len(c.Notify) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, n := range c.Notify {
			list.Content = append(list.Content, n.node())
		}
		add(root, "notify", list, "")
	}
	var out bytes.Buffer
	if err := dump(&out, root); err != nil {
		return "", fmt.Errorf("render configuration: %w", err)
	}
	return out.String(), nil
}

// httpNode leaves out what does nothing without an address.
func (c *Config) httpNode() *yaml.Node {
	m := mappingNode()
	groups := map[string]*yaml.Node{}
	for _, f := range httpTable.fields {
		v := f.get(&c.HTTP)
		head, tail, nested := strings.Cut(f.path, ".")
		if f.path != "listen" && (c.HTTP.Listen == "" || nested && unset(v)) {
			continue
		}
		into, key := m, f.path
		if nested {
			if groups[head] == nil {
				groups[head] = mappingNode()
				add(m, head, groups[head], "")
			}
			into, key = groups[head], tail
		}
		c.put(into, key, value(v), "http."+f.path)
	}
	return m
}

func dump(out *bytes.Buffer, n *yaml.Node) error {
	d, err := yaml.NewDumper(out, yaml.WithIndent(2), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(-1))
	if err != nil {
		return err
	}
	if err := d.Dump(n); err != nil {
		return err
	}
	return d.Close()
}

func (c *Config) put(m *yaml.Node, key string, v *yaml.Node, from string) {
	add(m, key, v, comment(c.origins[from]))
}

func (s Source) node() *yaml.Node {
	m := mappingNode()
	add(m, "name", str(s.Name), comment(s.origins["name"]))
	add(m, "path", str(s.Path), comment(s.origins["path"]))
	addSettings(m, s.settings, s.origins, func(f field) bool { return f.sourceOnly || f.path == "filter" || f.path == "exclude" })
	remotes := &yaml.Node{Kind: yaml.SequenceNode}
	for _, r := range s.Remotes {
		rm := mappingNode()
		add(rm, "name", str(r.Name), comment(r.origins["name"]))
		add(rm, "target", str(r.Target.String()), comment(r.origins["target"]))
		addSettings(rm, r.Settings, r.origins, func(f field) bool { return r.shows(s, f) })
		remotes.Content = append(remotes.Content, rm)
	}
	add(m, "remotes", remotes, "")
	if len(s.Sinks) > 0 {
		sinks := &yaml.Node{Kind: yaml.SequenceNode}
		for _, k := range s.Sinks {
			sinks.Content = append(sinks.Content, k.node())
		}
		add(m, "sinks", sinks, "")
	}
	return m
}

// shows leaves out what is shown at the source, and what the target has no
// use for and would therefore be refused.
func (r Remote) shows(s Source, f field) bool {
	head, _, _ := strings.Cut(f.path, ".")
	switch head {
	case "filter", "exclude":
		return r.origins[f.path] != s.origins[f.path]
	case "ssh", "tls", "password_file":
		return !unset(f.get(&r.Settings))
	}
	return !f.sourceOnly
}

func unset(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case int:
		return v == 0
	case bool:
		return !v
	case []Item:
		return len(v) == 0
	}
	return false
}

func addSettings(m *yaml.Node, s Settings, from map[string]Pos, show func(field) bool) {
	settings.show(m, &s, from, func(f field, v any) *yaml.Node {
		if !show(f) {
			return nil
		}
		return value(v)
	})
}

func mappingNode() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

func add(m *yaml.Node, key string, v *yaml.Node, note string) {
	if v.Kind == yaml.ScalarNode || v.Style == yaml.FlowStyle {
		v.LineComment = note
	}
	m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, v)
}

// comment is the base name and line: the file itself is named once, above.
func comment(p Pos) string {
	if p.File == "" {
		return ""
	}
	p.File = filepath.Base(p.File)
	return "# " + origin(p)
}

func str(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if s == "" {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// value spells v as the file would.
func value(v any) *yaml.Node {
	switch v := v.(type) {
	case time.Duration:
		return plain(formatDuration(v))
	case bool:
		return plain(strconv.FormatBool(v))
	case float64:
		return plain(strconv.FormatFloat(v, 'g', -1, 64))
	case []Item:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, it := range v {
			n.Content = append(n.Content, str(it.Text))
		}
		return n
	case BWLimit:
		return v.node()
	case string:
		return str(v)
	case Attributes:
		return str(string(v))
	case Delete:
		return str(string(v))
	case OnStart:
		return str(string(v))
	case watch.Backend:
		return str(string(v))
	case fs.FileMode:
		return str(fmt.Sprintf("%#o", uint32(v)))
	}
	return plain(fmt.Sprint(v)) // Size, int, uint64
}

// Minimal is the text of the shortest configuration for one source, checked.
// A relative source is taken from the working directory.
func Minimal(source string, targets []string, o Options) (string, error) {
	c, err := FromArgs(source, targets, o)
	if err != nil {
		return "", err
	}
	s := c.Sources[0]
	remotes := &yaml.Node{Kind: yaml.SequenceNode}
	for _, r := range s.Remotes {
		if r.Name == defaultName(r.Target) {
			remotes.Content = append(remotes.Content, str(r.Target.String()))
			continue
		}
		m := mappingNode()
		add(m, "name", str(r.Name), "")
		add(m, "target", str(r.Target.String()), "")
		remotes.Content = append(remotes.Content, m)
	}
	src := mappingNode()
	add(src, "path", str(s.Path), "")
	add(src, "remotes", remotes, "")
	root := mappingNode()
	add(root, "sources", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{src}}, "")
	var out bytes.Buffer
	out.WriteString("# gorsyncd; every key with its default: gorsyncd init --reference\n")
	if err := dump(&out, root); err != nil {
		return "", fmt.Errorf("render configuration: %w", err)
	}
	return out.String(), nil
}
