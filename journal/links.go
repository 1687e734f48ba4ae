package journal

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// Siblings returns the live paths of an inode with several links, sorted.
func (s *Source) Siblings(dev, ino uint64) ([]string, error) {
	groups, _, err := s.linkPage(inodePrefix(s.name, dev, ino), inodePrefix(s.name, dev, ino), 1)
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	return groups[0], nil
}

// LinkGroups calls fn with the live paths, sorted, of each inode that has
// several of them.
func (s *Source) LinkGroups(fn func(paths []string) error) error {
	pre := prefix(kindInode, s.name)
	for from := pre; from != nil; {
		groups, next, err := s.linkPage(pre, from, pageSize)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if len(g) < 2 {
				continue
			}
			if err := fn(g); err != nil {
				return err
			}
		}
		from = next
	}
	return nil
}

// linkPage reads the live paths of at most limit inodes whose keys start with
// pre, from a key on. The key to go on with is nil at the end.
func (s *Source) linkPage(pre, from []byte, limit int) (groups [][]string, next []byte, err error) {
	base := len(prefix(kindInode, s.name)) + 16
	err = s.j.view(func(txn *badger.Txn) error {
		it := scan(txn, pre)
		defer it.Close()
		var inode []byte
		for it.Seek(from); it.Valid(); it.Next() {
			key := it.Item().Key()
			if inode == nil || !bytes.HasPrefix(key, inode) {
				if len(groups) == limit {
					next = it.Item().KeyCopy(nil)
					return nil
				}
				inode = bytes.Clone(key[:base])
				groups = append(groups, nil)
			}
			path := pathOf(key[base:])
			_, live, err := s.trusted(txn, path)
			if err != nil {
				return err
			}
			if live {
				groups[len(groups)-1] = append(groups[len(groups)-1], path)
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list hard links of source %s: %w", s.name, err)
	}
	for _, g := range groups {
		slices.Sort(g)
	}
	return groups, next, nil
}
