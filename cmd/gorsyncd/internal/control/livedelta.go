package control

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"gorsyncd/cmd/gorsyncd/internal/status"
)

// Delta is what has changed in a status. Each list holds the elements that are new or
// are not what they were, to take the place of those of the same name; the rest of the
// document is whole.
type Delta struct {
	status.Status
	// Removed are the names of elements that are gone. They go before those of the
	// lists come.
	Removed []string `json:"removed"`
}

// MarshalJSON is for the one who makes a Delta by hand; the live status is made of
// parts.
func (d Delta) MarshalJSON() ([]byte, error) {
	p, err := split(d.Status)
	if err != nil {
		return nil, err
	}
	removed := d.Removed
	if removed == nil {
		removed = []string{}
	}
	return p.join(p.lists, mustJSON(removed)), nil
}

// JSONShape is for the schema of the document.
func (Delta) JSONShape() any {
	return struct {
		status.Shape
		Removed []string `json:"removed"`
	}{}
}

// LagNow is how far each remote and sink is behind.
type LagNow struct {
	Remotes map[string]float64 `json:"remotes"` // seconds, by full name
}

// parts is a status in JSON, by its keys, and by the names in its lists.
type parts struct {
	keys  []string                   // in order
	plain map[string]json.RawMessage // what is no list of named elements
	lists map[string]*elements

	seconds map[string]float64 // behind, by full name
	text    []byte             // whole, once it was asked for
}

// elements is a list of named elements.
type elements struct {
	names []string
	texts map[string]json.RawMessage
}

// split takes a status apart.
func split(st status.Status) (*parts, error) {
	doc, err := st.MarshalJSON()
	if err != nil {
		return nil, err
	}
	p := &parts{plain: map[string]json.RawMessage{}, lists: map[string]*elements{}, seconds: map[string]float64{}}
	if err := json.Unmarshal(doc, &p.plain); err != nil {
		return nil, err
	}
	p.keys = slices.Sorted(maps.Keys(p.plain))
	for _, key := range p.keys {
		if e := named(p.plain[key]); e != nil {
			p.lists[key] = e
			delete(p.plain, key)
		}
	}
	for _, r := range st.Remotes {
		p.seconds[r.Name] = r.LagSeconds
	}
	for _, k := range st.Sinks {
		p.seconds[k.Name] = k.LagSeconds
	}
	return p, nil
}

// named reads a list whose elements have names; nil for anything else.
func named(text json.RawMessage) *elements {
	if len(text) == 0 || text[0] != '[' {
		return nil
	}
	var all []json.RawMessage
	if json.Unmarshal(text, &all) != nil {
		return nil
	}
	e := &elements{names: make([]string, 0, len(all)), texts: make(map[string]json.RawMessage, len(all))}
	for _, one := range all {
		var head struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(one, &head) != nil || head.Name == "" {
			return nil
		}
		e.names = append(e.names, head.Name)
		e.texts[head.Name] = one
	}
	return e
}

// whole is the event with all of it.
func (p *parts) whole() []byte {
	if p.text == nil {
		p.text = event("status", "", p.join(p.lists, nil))
	}
	return p.text
}

// lag is the document of how far each is behind.
func (p *parts) lag() []byte { return mustJSON(LagNow{p.seconds}) }

// join writes the document with other lists, and with what was removed unless that is
// nil.
func (p *parts) join(lists map[string]*elements, removed []byte) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, key := range p.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(mustJSON(key))
		b.WriteByte(':')
		if text, ok := p.plain[key]; ok {
			b.Write(text)
			continue
		}
		b.WriteByte('[')
		if e := lists[key]; e != nil {
			for n, name := range e.names {
				if n > 0 {
					b.WriteByte(',')
				}
				b.Write(e.texts[name])
			}
		}
		b.WriteByte(']')
	}
	if removed != nil {
		b.WriteString(`,"removed":`)
		b.Write(removed)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// since is the event of what is not as it was: the whole where elements have come or
// changed their places, where a key is gone, or where the name of what is gone is still
// that of something else; nil where nothing but the time is another.
func (p *parts) since(before *parts) []byte {
	if !slices.Equal(p.keys, before.keys) {
		return p.whole()
	}
	changed := map[string]*elements{}
	gone := []string{}
	news := !p.alike(before)
	for key, e := range p.lists {
		was := before.lists[key]
		if was == nil {
			return p.whole()
		}
		for _, name := range was.names {
			if e.texts[name] == nil {
				gone = append(gone, name)
			}
		}
		kept := slices.DeleteFunc(slices.Clone(was.names), func(name string) bool { return e.texts[name] == nil })
		if !slices.Equal(kept, e.names) {
			return p.whole()
		}
		diff := &elements{texts: e.texts}
		for _, name := range e.names {
			if !bytes.Equal(e.texts[name], was.texts[name]) {
				diff.names = append(diff.names, name)
			}
		}
		if changed[key] = diff; len(diff.names) > 0 {
			news = true
		}
	}
	if !news && len(gone) == 0 {
		return nil
	}
	if slices.ContainsFunc(gone, p.has) {
		return p.whole()
	}
	return event("delta", "", p.join(changed, mustJSON(gone)))
}

// has tells whether an element of any list has that name: a notifier may be called
// like a source, and what is kept is called like the remote that it was kept for.
func (p *parts) has(name string) bool {
	for _, e := range p.lists {
		if e.texts[name] != nil {
			return true
		}
	}
	return false
}

// alike tells whether what is in no list is the same, but for what changes by itself.
func (p *parts) alike(before *parts) bool {
	for key, text := range p.plain {
		switch key {
		case "time":
		case "daemon":
			if !bytes.Equal(still(text), still(before.plain[key])) {
				return false
			}
		default:
			if !bytes.Equal(text, before.plain[key]) {
				return false
			}
		}
	}
	return true
}

// still is the daemon's part without what never stands still.
func still(text json.RawMessage) []byte {
	var doc map[string]json.RawMessage
	if json.Unmarshal(text, &doc) != nil {
		return text
	}
	delete(doc, "uptime_seconds")
	delete(doc, "goroutines")
	return mustJSON(doc)
}

// mustJSON is for what is made of strings, finite numbers and JSON, which cannot
// fail; it would be null.
func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return text
}
