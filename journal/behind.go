package journal

import (
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Behind counts the entries that a cursor has not passed, and tells since when
// the oldest of them has been waiting; zero when there is none. It is for remotes
// that nobody owns: an owner knows without reading the journal.
func (s *Source) Behind(c Cursor) (n uint64, since time.Time, err error) {
	for from := c.Next(); from != 0; {
		var page uint64
		err = s.j.view(func(txn *badger.Txn) error {
			it := scan(txn, prefix(kindEntry, s.name))
			defer it.Close()
			seq := from
			from = 0
			for it.Seek(entryKey(s.name, seq)); it.Valid(); it.Next() {
				if page++; page > countPage {
					from = seqOf(it.Item().Key())
					break
				}
				if c.Has(seqOf(it.Item().Key())) {
					continue
				}
				if n++; n == 1 {
					e, err := itemEntry(s.j, it.Item())
					if err != nil {
						return err
					}
					since = e.FirstTime
				}
			}
			return nil
		})
		if err != nil {
			return 0, time.Time{}, fmt.Errorf("count entries of source %s: %w", s.name, err)
		}
	}
	return n, since, nil
}

// countPage bounds a read transaction that looks at keys only.
const countPage = 20 * pageSize
