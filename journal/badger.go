package journal

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"gorsyncd/journal/failpoint"
)

// badgerLog passes Badger's messages on; what it calls information is of
// interest for debugging only.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) print(level slog.Level, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "badger: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}

func (l badgerLog) Errorf(f string, a ...any)   { l.print(slog.LevelError, f, a) }
func (l badgerLog) Warningf(f string, a ...any) { l.print(slog.LevelWarn, f, a) }

// Debugf drops the message: there are four for every commit.
func (badgerLog) Debugf(f string, _ ...any) {
	if failpoint.Enabled {
		hitBadger(f)
	}
}

// Infof is of interest for debugging only.
func (l badgerLog) Infof(f string, a ...any) {
	if failpoint.Enabled {
		hitBadger(f)
	}
	l.print(slog.LevelDebug, f, a)
}

// hitBadger passes the places inside of Badger that only its messages tell.
func hitBadger(format string) {
	switch {
	case strings.Contains(format, "Compact"):
		failpoint.Hit("journal.compaction")
	case strings.HasPrefix(format, "Flushing memtable"), strings.HasPrefix(format, "Handling flush"):
		failpoint.Hit("journal.flush")
	}
}

// corrupt makes the error for a value that cannot be decoded.
func (j *Journal) corrupt(key []byte, err error) error {
	return &CorruptError{Dir: j.dir, Place: describe(key), Err: err}
}

// getValue reads and decodes one value; badger.ErrKeyNotFound stays as it is.
func getValue[T any](j *Journal, txn *badger.Txn, key []byte, decode func(key, val []byte) (T, error)) (T, error) {
	var v T
	item, err := txn.Get(key)
	if err != nil {
		if err != badger.ErrKeyNotFound {
			err = fmt.Errorf("read %s: %w", describe(key), err)
		}
		return v, err
	}
	err = item.Value(func(val []byte) error {
		if v, err = decode(key, val); err != nil {
			return j.corrupt(key, err)
		}
		return nil
	})
	return v, err
}

// lookup is getValue for keys that may be missing.
func lookup[T any](j *Journal, txn *badger.Txn, key []byte, decode func(key, val []byte) (T, error)) (T, bool, error) {
	v, err := getValue(j, txn, key, decode)
	if err == badger.ErrKeyNotFound {
		return v, false, nil
	}
	return v, err == nil, err
}

// scan returns an iterator over the keys with that prefix. Values are small
// and lie beside their keys, so that prefetching them buys nothing.
func scan(txn *badger.Txn, pre []byte) *badger.Iterator {
	o := badger.DefaultIteratorOptions
	o.PrefetchValues = false
	o.Prefix = pre
	return txn.NewIterator(o)
}

// each calls fn for every key with that prefix. Key and value are valid until
// fn returns.
func each(txn *badger.Txn, pre []byte, fn func(key, val []byte) error) error {
	it := scan(txn, pre)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if err := item.Value(func(val []byte) error { return fn(item.Key(), val) }); err != nil {
			return err
		}
	}
	return nil
}

// keyIs tells whether the iterator stands on a key with that prefix.
func keyIs(it *badger.Iterator, pre []byte) bool {
	return it.Valid() && bytes.HasPrefix(it.Item().Key(), pre)
}
