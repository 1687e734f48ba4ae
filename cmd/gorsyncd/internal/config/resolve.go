package config

import yaml "go.yaml.in/yaml/v4"

// defaultPos is the place of a value nobody wrote.
var defaultPos = Pos{File: "default"}

// resolve merges levels, nearest first, leaf by leaf, on top of the built-in
// defaults. It returns where each value came from by field path.
func resolve(levels ...level) (Settings, map[string]Pos) {
	var s Settings
	origins := settings.resolve(&s, levels...)
	return s, origins
}

// decodeSettings is for a mapping that holds nothing but settings.
func (p *parser) decodeSettings(n *yaml.Node, what string) level {
	lv := level{}
	p.mapping(n, what, groupNames, func(key string, _, v *yaml.Node) { settings.read(p, lv, key, v) })
	return lv
}
