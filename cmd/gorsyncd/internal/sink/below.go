package sink

import (
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
)

// piece is what is handed over at once: events, and the items they stand for.
type piece struct {
	events  []Event
	items   []int  // of each event, the index in the batch
	below   []bool // of each event, whether it is of something below its item
	partial bool   // the last item goes on in the next piece
}

func (p *piece) add(ev Event, item int, below bool) {
	p.events, p.items, p.below = append(p.events, ev), append(p.items, item), append(p.below, below)
}

func (p *piece) last() int {
	if len(p.items) == 0 {
		return 0
	}
	return p.items[len(p.items)-1]
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

// pieces divides a batch. With Below, a directory that is gone is followed by the
// removal of each path that was in it, and a resync by all that there is. What was told
// of an item before is passed over.
func (s *Sink) pieces(batch []*item) iter.Seq2[*piece, error] {
	return func(yield func(*piece, error) bool) {
		p := &piece{}
		for i, it := range batch {
			told, begun := s.toldOf(it)
			if !begun {
				p.add(it.event, i, false)
			}
			if !s.o.Below || !it.hasBelow() {
				continue
			}
			w := walk{o: &s.o, top: it.event, after: told, live: it.event.Op == OpResync}
			if w.top.Op == OpChange {
				w.top.Op, w.top.Type = OpRemove, "" // of what was there before
			}
			err := w.below(it.event.rel, func(ev Event) bool {
				if len(p.events) >= s.o.Batch {
					p.partial = p.last() == i
					if !yield(p, nil) {
						return false
					}
					p = &piece{}
				}
				p.add(ev, i, true)
				return true
			})
			if errors.Is(err, errEnough) {
				return
			}
			if err != nil {
				yield(&piece{items: []int{i}}, err)
				return
			}
		}
		if len(p.events) > 0 {
			yield(p, nil)
		}
	}
}

// hasBelow tells whether there may be more to tell than the event itself.
func (it *item) hasBelow() bool {
	return it.event.Op == OpResync || it.event.Op == OpRemove || it.entry.Count > 0
}

// toldOf is how far an item has come, if it has begun.
func (s *Sink) toldOf(it *item) (told string, begun bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	told, begun = s.told[it.entry.Seq]
	return told, begun
}

// errEnough ends a walk whose receiver has failed.
var errEnough = errors.New("enough")

// walk gives an event for each path below a directory: of those that are gone with it,
// or, live, of those that are there.
type walk struct {
	o     *Options
	top   Event
	after string // paths up to this one were told
	live  bool
}

type child struct {
	name     string
	dir, own bool // own: it is told; else only what is below it
}

// children reads one directory of the index.
func (w *walk) children(dir string) (list []child, err error) {
	err = w.o.Feed.Children(dir, func(name string, r journal.Record, trusted bool) error {
		switch {
		case w.live && trusted && r.Type != journal.Gone:
			list = append(list, child{name, r.Type == journal.Dir, true})
		case !w.live && !trusted && r.Type != journal.Gone:
			list = append(list, child{name, r.Type == journal.Dir, true})
		case !w.live && r.Lost() > 0:
			// Removed before, which was told by itself, unless that still waits.
			list = append(list, child{name, true, false})
		}
		return nil
	})
	return list, err
}

func (w *walk) below(dir string, give func(Event) bool) error {
	list, err := w.children(dir)
	if err != nil {
		return err
	}
	for _, c := range list {
		rel := c.name
		if dir != "" {
			rel = dir + "/" + c.name
		}
		inside := c.dir
		if w.passed(rel) {
			inside = c.dir && (w.after == rel || strings.HasPrefix(w.after, rel+"/"))
		} else if w.tells(c, rel) && !give(w.event(rel, c.dir)) {
			return errEnough
		}
		if inside {
			if err := w.below(rel, give); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) tells(c child, rel string) bool {
	return c.own && (!c.dir || w.o.Directories) && !w.o.Filter.Match(rel, c.dir).Excluded
}

// passed tells whether a path comes up to the last one that was told. A directory comes
// right before what is in it.
func (w *walk) passed(rel string) bool {
	return w.after != "" && strings.ReplaceAll(rel, "/", "\x00") <= strings.ReplaceAll(w.after, "/", "\x00")
}

func (w *walk) event(rel string, isDir bool) Event {
	ev := w.top
	ev.rel, ev.isDir, ev.Path = rel, isDir, names.NewPath(rel)
	ev.ID = fmt.Sprintf("%s-%016x", w.top.ID, hash(rel))
	if w.live {
		ev.Op, ev.Type = OpChange, ""
	}
	return ev
}

func hash(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}
