package journal

import (
	"fmt"
	"slices"
	"sort"
)

// Next is the first seq that is not known to be done.
func (c Cursor) Next() uint64 { return c.Low + 1 }

// Has tells whether the entry is done.
func (c Cursor) Has(seq uint64) bool {
	if seq <= c.Low {
		return true
	}
	i := sort.Search(len(c.Done), func(i int) bool { return c.Done[i].To >= seq })
	return i < len(c.Done) && c.Done[i].From <= seq
}

func (c Cursor) clone() Cursor { return Cursor{Low: c.Low, Done: slices.Clone(c.Done)} }

// normal drops ranges below Low, raises Low over ranges that touch it, and
// joins ranges that touch each other, which must be sorted.
func (c Cursor) normal() Cursor {
	n := Cursor{Low: c.Low}
	for _, r := range c.Done {
		last := len(n.Done) - 1
		switch {
		case r.From <= n.Low+1:
			n.Low = max(n.Low, r.To)
		case last >= 0 && r.From <= n.Done[last].To+1:
			n.Done[last].To = max(n.Done[last].To, r.To)
		default:
			n.Done = append(n.Done, r)
		}
	}
	return n
}

// check refuses ranges out of order and seqs that were never given out.
func (c Cursor) check(head uint64) error {
	if c.Low > head {
		return fmt.Errorf("cursor %d is above the head %d", c.Low, head)
	}
	prev := uint64(0)
	for _, r := range c.Done {
		if r.From > r.To || r.From <= prev || r.To > head {
			return fmt.Errorf("cursor range %d-%d is out of order or above the head %d", r.From, r.To, head)
		}
		prev = r.To
	}
	return nil
}
