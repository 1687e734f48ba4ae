package replicate

import (
	"slices"

	"gorsyncd/journal"
)

// maxRanges bounds the Done list of a cursor. What does not fit is sent again
// after a crash, no more.
const maxRanges = 1024

// ledger keeps which seqs were read and are not acknowledged yet, and derives
// the cursor from them. Seqs that were read as missing (superseded or
// truncated) count as done.
type ledger struct {
	seqs []ledgerSeq // ascending; acknowledged ones stay until the next sweep
	lead int         // so many of them, at least, are acknowledged before the first that is not
	open int         // not acknowledged
	read uint64      // everything at or below has been read
}

type ledgerSeq struct {
	seq   uint64
	done  bool
	after bool // an acknowledged seq after this one was swept away
}

// add notes a seq that was read and waits. Seqs come in ascending order.
func (l *ledger) add(seq uint64) {
	l.seqs = append(l.seqs, ledgerSeq{seq: seq})
	l.open++
	l.read = seq
}

// ack marks a seq as done. Unknown seqs (0, or from before) are ignored.
func (l *ledger) ack(seq uint64) {
	i, ok := slices.BinarySearchFunc(l.seqs, seq, func(s ledgerSeq, q uint64) int {
		switch {
		case s.seq < q:
			return -1
		case s.seq > q:
			return 1
		}
		return 0
	})
	if !ok || l.seqs[i].done {
		return
	}
	l.seqs[i].done = true
	l.open--
	if len(l.seqs) > 64 && l.open < len(l.seqs)/2 {
		l.sweep()
	}
}

func (l *ledger) sweep() {
	out := l.seqs[:0]
	for _, s := range l.seqs {
		switch {
		case !s.done:
			out = append(out, s)
		case len(out) > 0:
			out[len(out)-1].after = true
		}
	}
	clear(l.seqs[len(out):])
	l.seqs, l.lead = out, 0
}

// first is the lowest seq that is not acknowledged, 0 when there is none.
func (l *ledger) first() uint64 {
	for l.lead < len(l.seqs) && l.seqs[l.lead].done {
		l.lead++
	}
	if l.lead == len(l.seqs) {
		return 0
	}
	return l.seqs[l.lead].seq
}

// cursor says the same as the ledger in the journal's form.
func (l *ledger) cursor() journal.Cursor {
	l.sweep()
	if len(l.seqs) == 0 {
		return journal.Cursor{Low: l.read}
	}
	c := journal.Cursor{Low: l.seqs[0].seq - 1}
	for i, s := range l.seqs {
		if !s.after || len(c.Done) == maxRanges {
			continue
		}
		to := l.read
		if i+1 < len(l.seqs) {
			to = l.seqs[i+1].seq - 1
		}
		if to > s.seq {
			c.Done = append(c.Done, journal.Range{From: s.seq + 1, To: to})
		}
	}
	return c
}

// has reports whether a stored cursor counts seq as done.
func has(c journal.Cursor, seq uint64) bool {
	if seq <= c.Low {
		return true
	}
	i, _ := slices.BinarySearchFunc(c.Done, seq, func(r journal.Range, q uint64) int {
		if r.To < q {
			return -1
		}
		return 1
	})
	return i < len(c.Done) && c.Done[i].From <= seq && seq <= c.Done[i].To
}
