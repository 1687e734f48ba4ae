package events

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"gorsyncd/journal"
)

// Journal is what is read. *journal.Journal implements it.
type Journal interface {
	Epoch() string
	Sources() []string
	Source(name string) (*journal.Source, error)
	MoreSources() <-chan struct{}
	OnWall(time.Time) time.Time
}

var _ Journal = (*journal.Journal)(nil)

const (
	pageSize = 256
	// positionEvery so many entries the position is told on the way.
	positionEvery = 1000
	// quiet is how long nothing comes before the position is told.
	quiet = 100 * time.Millisecond
	// gather is how long a reader that was woken waits for more: commits can come
	// by the thousand in a second.
	gather = 10 * time.Millisecond
)

// Read calls fn for each line that the request selects, from one goroutine, until
// there is no more or, with Follow, until ctx ends. The position is told first, so
// that whoever is cut off can go on. An error of fn ends it and is
// returned as it is. A request that makes no sense here is a *RequestError.
func Read(ctx context.Context, j Journal, q Request, fn func(Line) error) error {
	pattern, err := ParsePattern(q.Path)
	if err != nil {
		return &RequestError{Flag: "path", Err: err}
	}
	r := &reader{j: j, q: q, pattern: pattern, fn: fn}
	more := j.MoreSources() // before the sources are listed
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.tell(); err != nil {
		return err
	}
	for {
		wait := append(r.changed(), more)
		if err := r.drain(ctx); err != nil {
			return err
		}
		if !q.Follow {
			return r.tell()
		}
		if err := r.sleep(ctx, wait); err != nil {
			return err
		}
		more = j.MoreSources()
		if err := r.adopt(); err != nil {
			return err
		}
	}
}

// sleep waits for more, and tells the position when none comes at once.
func (r *reader) sleep(ctx context.Context, wait []<-chan struct{}) error {
	woke, err := anyOf(ctx, wait, quiet)
	if err == nil && !woke {
		if err = r.tell(); err == nil {
			_, err = anyOf(ctx, wait, 0)
		}
	}
	if err != nil {
		return err
	}
	_, err = anyOf(ctx, nil, gather)
	return err
}

// reader is one Read.
type reader struct {
	j       Journal
	q       Request
	pattern Pattern
	fn      func(Line) error
	at      []*place
	told    string // the last position
	passed  int    // entries since
}

// place is where a reader is in one source.
type place struct {
	name string
	src  *journal.Source
	next uint64 // the first seq that was not passed
	page []journal.Entry
	dry  bool // there was no more
}

// adopt adds the sources that are not read yet, from their beginning.
func (r *reader) adopt() error {
	for _, name := range r.j.Sources() {
		known := slices.ContainsFunc(r.at, func(p *place) bool { return p.name == name })
		if known || r.q.Source != "" && r.q.Source != name {
			continue
		}
		src, err := r.j.Source(name)
		if err != nil {
			return err
		}
		r.at = append(r.at, &place{name: name, src: src, next: 1})
	}
	return nil
}

// changed are channels that are closed when there is more.
func (r *reader) changed() []<-chan struct{} {
	list := make([]<-chan struct{}, 0, len(r.at)+2)
	for _, p := range r.at {
		list = append(list, p.src.Changed())
	}
	return list
}

// anyOf waits for one of the channels, or for some time unless that is 0, and
// tells whether it was a channel.
func anyOf(ctx context.Context, list []<-chan struct{}, limit time.Duration) (woke bool, err error) {
	add := func(cases []reflect.SelectCase, ch any) []reflect.SelectCase {
		return append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ch)})
	}
	cases := add(make([]reflect.SelectCase, 0, len(list)+2), ctx.Done())
	for _, ch := range list {
		cases = add(cases, ch)
	}
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		cases = add(cases, t.C)
	}
	i, _, _ := reflect.Select(cases)
	return i > 0 && i <= len(list), ctx.Err()
}

// drain gives what is there now.
func (r *reader) drain(ctx context.Context) error {
	for _, p := range r.at {
		p.dry = false
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var first *place
		for _, p := range r.at {
			if err := r.fill(p); err != nil {
				return err
			}
			if len(p.page) > 0 && (first == nil || p.page[0].Time.Before(first.page[0].Time)) {
				first = p
			}
		}
		if first == nil {
			return nil
		}
		if err := r.give(first); err != nil {
			return err
		}
	}
}

// fill reads the next page of a source when the last one is used up, and tells
// what can no longer be read before it.
func (r *reader) fill(p *place) error {
	if len(p.page) > 0 || p.dry {
		return nil
	}
	if p.src.Head() < p.next {
		p.dry = true
		return nil
	}
	page, err := p.src.Entries(p.next, pageSize)
	if err != nil {
		return err
	}
	p.page, p.dry = page, len(page) == 0
	gap, _ := p.src.Dropped()
	if len(page) > 0 && page[0].Seq <= gap {
		gap = page[0].Seq - 1 // read just before it was truncated
	}
	if gap < p.next {
		return nil
	}
	from := p.next
	p.next = gap + 1
	return r.fn(Line{Event: KindGap, Source: p.name, From: from, To: gap, Reason: GapTruncated})
}

func (r *reader) give(p *place) error {
	e := p.page[0]
	if r.pattern.Match(e.Path) {
		if err := r.fn(entryLine(p.name, e, r.j.OnWall(e.Time))); err != nil {
			return err
		}
	}
	p.page, p.next = p.page[1:], e.Seq+1
	if r.passed++; r.passed >= positionEvery {
		return r.tell()
	}
	return nil
}

// tell says where the reader stands, if that is news.
func (r *reader) tell() error {
	r.passed = 0
	pos := Position{Epoch: shortEpoch(r.j), Next: map[string]uint64{}}
	for _, p := range r.at {
		pos.Next[p.name] = p.next
	}
	text := pos.String()
	if text == r.told {
		return nil
	}
	r.told = text
	return r.fn(Line{Event: KindPosition, Position: text})
}

func shortEpoch(j Journal) string { return j.Epoch()[:min(epochDigits, len(j.Epoch()))] }

// RequestError is about a part of a request that cannot be served.
type RequestError struct {
	Flag string
	Err  error
	Hint string
}

func (e *RequestError) Error() string { return fmt.Sprintf("--%s: %v", e.Flag, e.Err) }

func (e *RequestError) Unwrap() error { return e.Err }

// known spells the names there are.
func known(list []string) string { return "known are " + strings.Join(list, ", ") }
