package sersync

import (
	"cmp"
	"reflect"
	"slices"

	"gorsyncd/cmd/gorsyncd/internal/draft"
)

// general holds for every configuration of sersync.
var general = []draft.Note{
	{Kind: draft.Changed, Text: "names that begin with a dot or end with ~, the name 4913, links, and changes of mode, owner and time are replicated, too; sersync left them out while it watched. To keep some out, list them under exclude"},
	{Kind: draft.Changed, Text: "more than 1000 removals at once are held until gorsyncd approve: guard.max_delete"},
	{Kind: draft.Changed, Text: "removed is what the source had and lost; what others put on the remote stays, also in a full sync. With delete: all a full sync removes it, as sersync -r and its crontab did"},
}

// Import merges the files into one configuration. A file that is none of
// sersync's is a *draft.SyntaxError. workers is what sersync was told with -n, 0
// for nothing; plugin what it was told with -m, "" for nothing: that plugin runs alone.
func Import(files []draft.File, workers int, plugin string) (*draft.Result, error) {
	var list []*conversion
	var names []string
	notes := slices.Clone(general)
	for _, f := range files {
		c, err := convert(f, plugin)
		if err != nil {
			return nil, err
		}
		c.opts.Set.Workers = workers
		list, names = append(list, c), append(names, f.Name)
		slices.SortStableFunc(c.notes, func(a, b draft.Note) int { return cmp.Compare(a.Line, b.Line) })
		notes = append(notes, c.notes...)
	}
	return draft.Write(merge(list), "import-sersync", names, notes)
}

// merge puts the sources of all files side by side. What all files set alike are
// defaults, other settings stand on the sources.
func merge(list []*conversion) *draft.Document {
	doc := &draft.Document{Sources: []*draft.Source{}}
	alike := true
	for _, c := range list {
		alike = alike && reflect.DeepEqual(c.opts.Set, list[0].opts.Set)
		if c.debug {
			doc.Log = &draft.LogSettings{Level: "debug"}
		}
	}
	if alike && len(list) > 0 && !reflect.DeepEqual(list[0].opts.Set, draft.Settings{}) {
		doc.Defaults = &list[0].opts.Set
	}
	for _, c := range list {
		for _, s := range c.sources {
			if !alike {
				s.Settings = c.opts.Set
			}
			doc.Sources = append(doc.Sources, s)
		}
	}
	return doc
}
