package replicate

import (
	"iter"

	"gorsyncd/journal"
)

// turning is the directories of the batches under way that may take the place
// of something else on the remote. What stands there until then can be a
// symbolic link, which the receiver would follow to write and to remove what is
// below the directory in another one. rsync puts only what is listed in its
// place, and a list has no parents but those that changed themselves.
type turning map[string]int

// started follows a batch. Its items may become others until it has ended.
func (t turning) started(b *Batch) {
	for _, it := range b.Items {
		if it.turned() {
			b.turning = append(b.turning, it.Path)
			t[it.Path]++
		}
	}
}

func (t turning) ended(b *Batch) {
	for _, dir := range b.turning {
		if t[dir]--; t[dir] == 0 {
			delete(t, dir)
		}
	}
}

func (it *Item) turned() bool {
	return it.Op == journal.OpChange && it.Flags&journal.FlagTurned != 0
}

// above yields the directories above a path that are still to take their
// place, and why one could not; the outcome is empty where it has not failed.
func (d *Dispatcher) above(path string) iter.Seq2[string, Outcome] {
	return func(yield func(string, Outcome) bool) {
		for dir, ok := parentOf(path); ok && dir != ""; dir, ok = parentOf(dir) {
			var why Outcome
			q, r := d.queue.get(dir), d.retries.get(dir)
			switch {
			case d.turning[dir] > 0:
			case q != nil && q.turned():
			case r != nil && r.item.turned():
				if r.failed() {
					why = Outcome{ID: r.ErrorID, Class: ClassEntry, Message: r.Error}
				}
			default:
				continue
			}
			if !yield(dir, why) {
				return
			}
		}
	}
}
