package lsyncd

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"gorsyncd/cmd/gorsyncd/internal/draft"
)

// Read returns what is in a file that a configuration names.
type Read func(name string) (string, error)

// Import merges the files into one configuration. A file that Lua does not
// understand, or that needs more than is there, is a *draft.SyntaxError.
func Import(files []draft.File, read Read) (*draft.Result, error) {
	var names []string
	var pairs []*pair
	notes := []draft.Note{{Kind: draft.Changed, Text: "more than 1000 removals at once are held until gorsyncd approve: guard.max_delete"}}
	for _, f := range files {
		names = append(names, f.Name)
		p, err := run(f)
		if err != nil {
			return nil, err
		}
		own := settingsNotes(f.Name, p.settings)
		if len(p.syncs) == 0 {
			own = append(own, draft.Note{File: f.Name, Kind: draft.Lost, Text: "there is no sync: nothing to replicate"})
		}
		for _, s := range p.syncs {
			c := &conversion{file: f.Name, line: s.line, read: read}
			if pr := c.convert(s.table); pr != nil {
				pairs = append(pairs, pr)
			}
			for _, n := range c.notes {
				if !slices.Contains(own, n) { // in a loop
					own = append(own, n)
				}
			}
		}
		slices.SortStableFunc(own, func(a, b draft.Note) int { return cmp.Compare(a.Line, b.Line) })
		notes = append(notes, own...)
	}
	return draft.Write(merge(pairs), "import-lsyncd", names, notes)
}

// settingsNotes says what becomes of settings{}, which is about lsyncd itself.
func settingsNotes(file string, list []*lua.LTable) []draft.Note {
	var names []string
	for _, t := range list {
		names = append(names, fields(t)...)
	}
	if len(names) == 0 {
		return nil
	}
	return []draft.Note{{File: file, Kind: draft.Dropped, Text: fmt.Sprintf("settings %s: see log, gorsyncd status and workers; gorsyncd runs in the foreground, under systemd", strings.Join(names, ", "))}}
}

// merge makes one source of the pairs with the same directory. Settings that all
// its remotes have alike are its own.
func merge(pairs []*pair) *draft.Document {
	doc := &draft.Document{Sources: []*draft.Source{}}
	for i, p := range pairs {
		if slices.ContainsFunc(pairs[:i], func(o *pair) bool { return o.path == p.path }) {
			continue
		}
		s := &draft.Source{Name: p.name, Path: p.path}
		var same []*pair
		alike := true
		for _, o := range pairs[i:] {
			if o.path == p.path {
				same = append(same, o)
				alike = alike && reflect.DeepEqual(o.Settings, p.Settings)
			}
		}
		if alike {
			s.Settings = p.Settings
		}
		for _, o := range same {
			r := &draft.Named{Target: o.target}
			if !alike {
				r.Settings = o.Settings
			}
			if reflect.DeepEqual(r.Settings, draft.Settings{}) {
				s.Remotes = append(s.Remotes, o.target)
			} else {
				s.Remotes = append(s.Remotes, r)
			}
		}
		doc.Sources = append(doc.Sources, s)
	}
	return doc
}
