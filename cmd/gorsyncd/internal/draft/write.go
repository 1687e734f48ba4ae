package draft

import (
	"errors"
	"fmt"
	"path"
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

// Write makes the text, with what it was made of as a comment at its top. Sources
// and remotes get names where theirs would clash.
func Write(doc *Document, by string, files []string, notes []Note) (*Result, error) {
	used := map[string]bool{}
	for _, s := range doc.Sources {
		s.name(used)
	}
	text, err := yaml.Dump(doc, yaml.WithIndent(2), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	res := &Result{YAML: slices.Concat([]byte(header(by, files)), text), Notes: notes}
	res.check()
	return res, nil
}

func header(by string, files []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Made by gorsyncd config %s of\n", by)
	for _, f := range files {
		b.WriteString("#   " + strings.Map(oneLine, f) + "\n")
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

// name gives a source, and those of its remotes that need one, a name of its own.
func (s *Source) name(used map[string]bool) {
	base := path.Base(s.Path)
	wanted := s.Name
	if wanted == "" {
		wanted = base
	}
	s.Name = ""
	if n := unique(config.SafeName(wanted), "source", used); n != base {
		s.Name = n
	}
	remotes := map[string]bool{}
	for i, r := range s.Remotes {
		n, ok := r.(*Named)
		if !ok {
			n = &Named{Target: r.(string)}
		}
		t, err := replicate.ParseTarget(n.Target)
		if err != nil {
			continue // config says so
		}
		host := config.SafeName(t.Host)
		if t.Kind == replicate.Local {
			host = config.SafeName(path.Base(t.Path))
		}
		if own := unique(host, "remote", remotes); own != host {
			n.Name = own
			s.Remotes[i] = n
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
