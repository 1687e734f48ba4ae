package journal

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// RetryPage returns the retry records of at most limit paths in index order,
// behind the path after if begun, and tells whether there are more. Unlike Retries
// it costs as much as it returns, and does not notice records that are missing.
func (r *Remote) RetryPage(after string, begun bool, limit int) (list []Retry, more bool, err error) {
	from := retryPrefix(r.s.name, r.name)
	if begun {
		from = append(retryKey(r.s.name, r.name, after), 0)
	}
	err = r.s.j.view(func(txn *badger.Txn) error {
		it := scan(txn, retryPrefix(r.s.name, r.name))
		defer it.Close()
		for it.Seek(from); it.Valid(); it.Next() {
			if len(list) >= limit {
				more = true
				return nil
			}
			item := it.Item()
			err := item.Value(func(val []byte) error {
				t, err := decodeRetry(item.Key(), val)
				if err != nil {
					return r.s.j.corrupt(item.Key(), err)
				}
				list = append(list, t)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("read retry records of remote %s/%s: %w", r.s.name, r.name, err)
	}
	return list, more, nil
}

// QueuePage looks at the entries from a seq on, limit of them at most, and returns
// those that the remote has not had and that are not in its retry set, for people: with
// times by the wall clock. next is the seq to go on from, 0 at the end.
func (r *Remote) QueuePage(from uint64, limit int) (list []Entry, next uint64, err error) {
	c := r.Cursor()
	page, err := r.s.Entries(max(from, c.Next()), limit)
	if err != nil {
		return nil, 0, err
	}
	if len(page) == limit {
		next = page[len(page)-1].Seq + 1
	}
	err = r.s.j.view(func(txn *badger.Txn) error {
		for _, e := range page {
			if c.Has(e.Seq) {
				continue
			}
			t, found, err := lookup(r.s.j, txn, retryKey(r.s.name, r.name, e.Path), decodeRetry)
			if err != nil {
				return err
			}
			if !found || t.Seq < e.Seq {
				e.Time = r.s.j.OnWall(e.Time)
				list = append(list, e)
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read what waits for remote %s/%s: %w", r.s.name, r.name, err)
	}
	return list, next, nil
}
