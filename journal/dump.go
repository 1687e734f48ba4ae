package journal

import (
	"bytes"
	"context"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// States of an entry at a remote.
const (
	StateQueued  = "queued"  // not done yet
	StateFailing = "failing" // in the retry set
	StateAcked   = "acked"   // done
)

// Query selects rows of Dump. Zero fields select all.
type Query struct {
	Source string
	Remote string // rows show this remote only; a "_" it begins with may be left out
	Path   string // the path and all below it
	State  string // at any of the shown remotes: StateQueued, StateFailing, StateAcked
	From   uint64 // first seq
	To     uint64 // last seq
}

// Row is an entry and what has become of it.
type Row struct {
	Source string
	Entry
	Remotes []RowRemote
}

// RowRemote is the state of an entry at one remote.
type RowRemote struct {
	Name  string
	State string
	Retry *Retry // when failing
}

// Dump calls fn for the selected entries of each source in order, then for
// the retry records of each remote whose entry is gone: those rows show that
// remote only and have the time of the first failure. What changes while fn
// runs may or may not be seen. An error of fn ends it and is returned as it
// is.
func (j *Journal) Dump(ctx context.Context, q Query, fn func(Row) error) error {
	for _, s := range j.all() {
		if q.Source != "" && q.Source != s.name {
			continue
		}
		d := dumper{s: s, q: q, fn: fn}
		for _, r := range s.handles() {
			if q.Remote == "" || q.Remote == r.name || "_"+q.Remote == r.name {
				d.remotes = append(d.remotes, r)
			}
		}
		if q.Remote != "" && len(d.remotes) == 0 {
			continue
		}
		if err := d.entries(ctx); err != nil {
			return err
		}
		for _, r := range d.remotes {
			if err := d.orphans(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// dumper is a Dump of one source.
type dumper struct {
	s       *Source
	q       Query
	fn      func(Row) error
	remotes []*Remote
}

func (d *dumper) selects(seq uint64, path string) bool {
	return seq >= d.q.From && (d.q.To == 0 || seq <= d.q.To) && within(d.q.Path, path)
}

func (d *dumper) entries(ctx context.Context) error {
	for from := d.q.From; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, err := d.s.Entries(from, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			if d.q.To != 0 && e.Seq > d.q.To {
				return nil
			}
			if !d.selects(e.Seq, e.Path) {
				continue
			}
			if err := d.entry(e); err != nil {
				return err
			}
		}
		from = page[len(page)-1].Seq + 1
	}
}

func (d *dumper) entry(e Entry) error {
	row := Row{Source: d.s.name, Entry: e}
	row.Time = d.s.j.OnWall(e.Time)
	match := d.q.State == ""
	err := d.s.j.view(func(txn *badger.Txn) error {
		for _, r := range d.remotes {
			rr := RowRemote{Name: r.name, State: StateQueued}
			t, found, err := lookup(d.s.j, txn, retryKey(d.s.name, r.name, e.Path), decodeRetry)
			if err != nil {
				return err
			}
			switch {
			case found && t.Seq >= e.Seq:
				rr.State, rr.Retry = StateFailing, &t
			case r.Cursor().Has(e.Seq):
				rr.State = StateAcked
			}
			match = match || rr.State == d.q.State
			row.Remotes = append(row.Remotes, rr)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("dump source %s: %w", d.s.name, err)
	}
	if !match {
		return nil
	}
	return d.fn(row)
}

// orphans shows the retry records of a remote whose entry is gone.
func (d *dumper) orphans(ctx context.Context, r *Remote) error {
	if d.q.State != "" && d.q.State != StateFailing {
		return nil
	}
	pre := retryPrefix(d.s.name, r.name)
	for from := pre; from != nil; {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, next, err := d.orphanPage(pre, from)
		if err != nil {
			return fmt.Errorf("dump remote %s/%s: %w", d.s.name, r.name, err)
		}
		for _, t := range page {
			row := Row{Source: d.s.name, Entry: Entry{Seq: t.Seq, Op: t.Op, Flags: t.Flags, Path: t.Path, Time: t.First}}
			row.Remotes = []RowRemote{{Name: r.name, State: StateFailing, Retry: &t}}
			if err := d.fn(row); err != nil {
				return err
			}
		}
		from = next
	}
	return nil
}

func (d *dumper) orphanPage(pre, from []byte) (page []Retry, next []byte, err error) {
	err = d.s.j.view(func(txn *badger.Txn) error {
		it := scan(txn, pre)
		defer it.Close()
		n := 0
		for it.Seek(from); it.Valid(); it.Next() {
			key := it.Item().KeyCopy(nil)
			if n++; n > pageSize {
				next = bytes.Clone(key)
				return nil
			}
			t, err := getValue(d.s.j, txn, key, decodeRetry)
			if err != nil {
				return err
			}
			if !d.selects(t.Seq, t.Path) {
				continue
			}
			e, found, err := lookup(d.s.j, txn, entryKey(d.s.name, t.Seq), decodeEntry)
			if err != nil {
				return err
			}
			if !found || e.Path != t.Path {
				page = append(page, t)
			}
		}
		return nil
	})
	return page, next, err
}
