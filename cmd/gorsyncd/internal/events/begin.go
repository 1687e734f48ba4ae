package events

import (
	"fmt"
	"maps"
	"slices"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/journal"
)

// begin decides where to read from.
func (r *reader) begin() error {
	if err := knows(r.j, "source", r.q.Source); err != nil {
		return err
	}
	if err := r.adopt(); err != nil {
		return err
	}
	switch {
	case r.q.From != "":
		return r.beginFrom()
	case !r.q.Since.IsZero():
		return r.beginSince()
	case r.q.Last != nil:
		return r.beginLast(*r.q.Last)
	}
	// What was there once is no gap for who asks for what there is.
	for _, p := range r.at {
		dropped, _ := p.src.Dropped()
		p.next = dropped + 1
	}
	return nil
}

// Start finds where a request of one source begins, and what is missing there;
// nil for nothing.
func Start(j Journal, q Request) (next uint64, gap *Line, err error) {
	r := &reader{j: j, q: q, fn: func(l Line) error { gap = &l; return nil }}
	if err := r.begin(); err != nil {
		return 0, nil, err
	}
	if len(r.at) != 1 {
		return 0, nil, fmt.Errorf("the journal has no source %q", q.Source)
	}
	p := r.at[0]
	if dropped, _ := p.src.Dropped(); dropped >= p.next {
		gap = &Line{Event: KindGap, Source: p.name, From: p.next, To: dropped, Reason: GapTruncated}
	}
	return p.next, gap, nil
}

// Bare tells whether a position is a seq alone, without the name of a source.
func Bare(from string) bool {
	p, err := ParsePosition(from)
	_, bare := p.Next[""]
	return err == nil && bare
}

// knows refuses the name of a source that the journal does not have; "" is none.
func knows(j Journal, flag, name string) error {
	all := j.Sources()
	if name == "" || slices.Contains(all, name) {
		return nil
	}
	e := &RequestError{Flag: flag, Err: fmt.Errorf("the journal has no source %q", name), Hint: known(all)}
	if best := config.Closest(name, all); best != "" {
		e.Hint = fmt.Sprintf("did you mean %q?", best)
	}
	return e
}

func (r *reader) beginFrom() error {
	pos, err := ParsePosition(r.q.From)
	if err != nil {
		return &RequestError{Flag: "from", Err: err}
	}
	if seq, ok := pos.Next[""]; ok {
		if len(r.at) != 1 {
			return &RequestError{Flag: "from", Err: errSeveral, Hint: known(r.j.Sources())}
		}
		pos.Next = map[string]uint64{r.at[0].name: seq}
	}
	if epoch := shortEpoch(r.j); pos.Epoch != "" && pos.Epoch != epoch {
		return r.rebuilt(pos)
	}
	for _, name := range slices.Sorted(maps.Keys(pos.Next)) {
		if err := knows(r.j, "from", name); err != nil {
			return err
		}
	}
	for _, p := range r.at {
		next := max(pos.Next[p.name], 1)
		if head := p.src.Head(); next > head+1 {
			return &RequestError{Flag: "from", Err: fmt.Errorf("the journal of %s has come to #%d only", p.name, head),
				Hint: "if it was rebuilt since, begin again without --from"}
		}
		p.next = next
	}
	return nil
}

// rebuilt begins anew: of what happened to the other journal after the position
// nothing is known.
func (r *reader) rebuilt(pos Position) error {
	for _, p := range r.at {
		dropped, _ := p.src.Dropped()
		p.next = dropped + 1
		if err := r.fn(Line{Event: KindGap, Source: p.name, From: pos.Next[p.name], Reason: GapRebuilt}); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) beginSince() error {
	for _, p := range r.at {
		next, err := p.src.Since(r.q.Since)
		if err != nil {
			return err
		}
		p.next = next
		dropped, at := p.src.Dropped()
		if dropped == 0 || at.Before(r.q.Since) {
			continue
		}
		gap := Line{Event: KindGap, Source: p.name, To: dropped, Reason: GapTruncated}
		if err := r.fn(gap); err != nil {
			return err
		}
		p.next = max(p.next, dropped+1)
	}
	return nil
}

// maxLast bounds what beginLast keeps in memory.
const maxLast = 10_000

// beginLast begins so that the newest n of all sources are read, as far as their
// times tell: it goes back in the source that has the newest.
func (r *reader) beginLast(n int) error {
	if n < 0 || n > maxLast {
		return &RequestError{Flag: "lines", Err: fmt.Errorf("%d is not a number from 0 to %d", n, maxLast), Hint: "for more of them use --from or --since"}
	}
	backs := make([]*backwards, 0, len(r.at))
	for _, p := range r.at {
		p.next = p.src.Head() + 1
		backs = append(backs, &backwards{place: p, match: r.pattern, below: p.next})
	}
	for range n {
		var newest *backwards
		for _, b := range backs {
			if err := b.fill(); err != nil {
				return err
			}
			if len(b.page) > 0 && (newest == nil || b.page[0].Time.After(newest.page[0].Time)) {
				newest = b
			}
		}
		if newest == nil {
			return nil
		}
		newest.place.next, newest.page = newest.page[0].Seq, newest.page[1:]
	}
	return nil
}

// backwards reads the entries of a source that are selected, the newest first.
type backwards struct {
	place *place
	match Pattern
	below uint64
	page  []journal.Entry
	done  bool
}

func (b *backwards) fill() error {
	for len(b.page) == 0 && !b.done {
		page, err := b.place.src.Before(b.below, pageSize)
		if err != nil {
			return err
		}
		if b.done = len(page) == 0; !b.done {
			b.below = page[len(page)-1].Seq
		}
		b.page = slices.DeleteFunc(page, func(e journal.Entry) bool { return !b.match.Match(e.Path) })
	}
	return nil
}
