package sersync

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/replicate"
)

// Result is a configuration of gorsyncd and what to know about it.
type Result struct {
	YAML  []byte
	Notes []Note
}

// Lost tells whether something was not carried over.
func (r *Result) Lost() bool {
	return slices.ContainsFunc(r.Notes, func(n Note) bool { return n.Kind == Lost })
}

// Import merges the files into one configuration. A file that is none of
// sersync's is a *SyntaxError.
func Import(files []File) (*Result, error) {
	var list []*conversion
	for _, f := range files {
		c, err := convert(f)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	res := &Result{Notes: slices.Clone(general)}
	for _, c := range list {
		slices.SortStableFunc(c.notes, func(a, b Note) int { return cmp.Compare(a.Line, b.Line) })
		res.Notes = append(res.Notes, c.notes...)
	}
	text, err := yaml.Dump(merge(list), yaml.WithIndent(2), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	res.YAML = slices.Concat([]byte(header(files)), text)
	res.check()
	return res, nil
}

func header(files []File) string {
	var b strings.Builder
	b.WriteString("# Made by gorsyncd config import-sersync of\n")
	for _, f := range files {
		b.WriteString("#   " + strings.Map(oneLine, f.Name) + "\n")
	}
	b.WriteString("# Check it with: gorsyncd config check -c FILE\n")
	return b.String()
}

func oneLine(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}

// merge puts the sources of all files side by side. What all files set alike are
// defaults, other settings stand on the sources.
func merge(list []*conversion) *document {
	doc := &document{Sources: []*source{}}
	alike := true
	for _, c := range list {
		alike = alike && reflect.DeepEqual(c.set, list[0].set)
		if c.debug {
			doc.Log = &logSettings{Level: "debug"}
		}
	}
	if alike && len(list) > 0 && !reflect.DeepEqual(list[0].set, settings{}) {
		doc.Defaults = &list[0].set
	}
	used := map[string]bool{}
	for _, c := range list {
		for _, s := range c.sources {
			if !alike {
				s.settings = c.set
			}
			s.name(used)
			doc.Sources = append(doc.Sources, s)
		}
	}
	return doc
}

// name gives a source, and those of its remotes that need one, a name of its own.
func (s *source) name(used map[string]bool) {
	base := path.Base(s.Path)
	if n := unique(config.SafeName(base), "source", used); n != base {
		s.Name = n
	}
	remotes := map[string]bool{}
	for i, r := range s.Remotes {
		t, err := replicate.ParseTarget(r.(string))
		if err != nil {
			continue // config says so
		}
		host := config.SafeName(t.Host)
		if n := unique(host, "remote", remotes); n != host {
			s.Remotes[i] = named{n, r.(string)}
		}
	}
}

func unique(name, other string, used map[string]bool) string {
	if name == "" {
		name = other
	}
	n := name
	for i := 2; used[n]; i++ {
		n = fmt.Sprintf("%s-%d", name, i)
	}
	used[n] = true
	return n
}

// check reads the result as the daemon would.
func (r *Result) check() {
	const name = "the configuration made of it"
	_, err := config.Parse(name, r.YAML, config.Options{})
	var bad *config.Errors
	if errors.As(err, &bad) {
		for _, e := range bad.List {
			r.Notes = append(r.Notes, Note{File: name, Line: e.Pos.Line, Kind: Lost, Text: e.Message})
		}
	} else if err != nil {
		r.Notes = append(r.Notes, Note{File: name, Kind: Lost, Text: err.Error()})
	}
}
