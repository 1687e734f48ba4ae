package replicate

import (
	"iter"
	"slices"
)

// queue holds the items that wait for a batch, at most one per path, in the
// order they are to be sent.
type queue struct {
	items  []*Item // with dropped and started ones until the next sweep
	byPath map[string]*Item
}

func newQueue() *queue { return &queue{byPath: map[string]*Item{}} }

func (q *queue) len() int { return len(q.byPath) }

func (q *queue) get(path string) *Item { return q.byPath[path] }

// push appends an item whose path is not queued.
func (q *queue) push(it *Item) {
	it.state = itemQueued
	q.items = append(q.items, it)
	q.byPath[it.Path] = it
}

// pushFront puts items whose paths are not queued before all others.
func (q *queue) pushFront(its []*Item) {
	if len(its) == 0 {
		return
	}
	q.sweep() // before they are waiting again: they may still stand where they were
	for _, it := range its {
		it.state = itemQueued
		q.byPath[it.Path] = it
	}
	q.items = slices.Concat(its, q.items)
}

// take removes an item from the queue: it goes on under the given state.
func (q *queue) take(it *Item, to itemState) {
	if q.byPath[it.Path] != it {
		return
	}
	delete(q.byPath, it.Path)
	it.state = to
	if len(q.items) > 64 && len(q.byPath) < len(q.items)/2 {
		q.sweep()
	}
}

func (q *queue) sweep() {
	q.items = slices.DeleteFunc(q.items, func(it *Item) bool { return it.state != itemQueued || q.byPath[it.Path] != it })
}

// all yields the waiting items in order. The queue must not change meanwhile.
func (q *queue) all() iter.Seq[*Item] {
	return func(yield func(*Item) bool) {
		for _, it := range q.items {
			if it.state == itemQueued && !yield(it) {
				return
			}
		}
	}
}
