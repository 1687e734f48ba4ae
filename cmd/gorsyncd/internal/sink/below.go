package sink

import (
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
)

// piece is what is handed over at once: events, and the items they stand for.
type piece struct {
	events []Event
	items  []int // of each event, the index in the batch
}

// blamed translates indices of events, nil for all, to those of items.
func (p *piece) blamed(events []int) []int {
	if events == nil {
		return slices.Compact(slices.Clone(p.items))
	}
	var out []int
	for _, e := range events {
		out = append(out, p.items[e])
	}
	return slices.Compact(out)
}

// pieces divides a batch. With Below, the removal of a directory is followed by one
// of each path that was below it.
func (s *Sink) pieces(batch []*item) iter.Seq2[*piece, error] {
	return func(yield func(*piece, error) bool) {
		p := &piece{}
		for i, it := range batch {
			p.events, p.items = append(p.events, it.event), append(p.items, i)
			if !s.o.Below || it.event.Op != OpRemove {
				continue
			}
			err := s.o.below(&it.event, it.event.rel, func(ev Event) bool {
				if len(p.events) >= s.o.Batch {
					if !yield(p, nil) {
						return false
					}
					p = &piece{}
				}
				p.events, p.items = append(p.events, ev), append(p.items, i)
				return true
			})
			if err != nil {
				if !errors.Is(err, errEnough) {
					yield(nil, err)
				}
				return
			}
		}
		if len(p.events) > 0 {
			yield(p, nil)
		}
	}
}

// below gives what the index still knows of what was in a removed directory.
func (o *Options) below(top *Event, dir string, give func(Event) bool) error {
	type child struct {
		name string
		dir  bool
	}
	var children []child
	err := o.Feed.Children(dir, func(name string, r journal.Record, trusted bool) error {
		if !trusted && r.Type != journal.Gone {
			children = append(children, child{name, r.Type == journal.Dir})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range children {
		ev := *top
		ev.rel = c.name
		if dir != "" {
			ev.rel = dir + "/" + c.name
		}
		ev.Path, ev.isDir = names.NewPath(ev.rel), c.dir
		ev.ID = fmt.Sprintf("%s-%016x", top.ID, hash(ev.rel))
		if (!c.dir || o.Directories) && !o.Filter.Match(ev.rel, c.dir).Excluded && !give(ev) {
			return errEnough
		}
		if c.dir {
			if err := o.below(top, ev.rel, give); err != nil {
				return err
			}
		}
	}
	return nil
}

func hash(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}
