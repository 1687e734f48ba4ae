package journal

import (
	"fmt"
)

// sourceVerifier is the part of a verifier for one source.
type sourceVerifier struct {
	*verifier
	name   string
	h      header
	digest uint64
}

func (s *sourceVerifier) all() (lost string, err error) {
	for _, step := range []func() (string, error){s.entries, s.index, s.links, s.sums, s.remotes} {
		if lost, err = step(); lost != "" || err != nil {
			return lost, err
		}
	}
	return "", nil
}

// entries compares number, sum and bounds.
func (s *sourceVerifier) entries() (lost string, err error) {
	var n, sum uint64
	err = s.each(prefix(kindEntry, s.name), func(key, val []byte) error {
		e, err := decodeEntry(key, val)
		if err != nil {
			return s.j.corrupt(key, err)
		}
		if e.Seq > s.h.Head || e.Seq <= s.h.Truncated {
			return s.j.corrupt(key, fmt.Errorf("outside of %d to %d", s.h.Truncated+1, s.h.Head))
		}
		n++
		sum += e.Seq
		s.digest += e.mark
		return nil
	})
	if err == nil && (n != s.h.Entries || sum != s.h.Sum) {
		lost = fmt.Sprintf("source %s has %d entries with sum %d, but %d with sum %d were acknowledged",
			s.name, n, sum, s.h.Entries, s.h.Sum)
	}
	return lost, err
}

// index compares the number of records. A lost one would be a removal never
// noticed.
func (s *sourceVerifier) index() (lost string, err error) {
	n := uint64(0)
	err = s.each(prefix(kindIndex, s.name), func(key, val []byte) error {
		n++
		s.digest += mark(key, val)
		return nil
	})
	if err == nil && n != s.h.Index {
		lost = fmt.Sprintf("source %s has %d index records, but %d were acknowledged", s.name, n, s.h.Index)
	}
	return lost, err
}

// links adds up inode keys and kept tombstones.
func (s *sourceVerifier) links() (lost string, err error) {
	for _, kind := range []byte{kindInode, kindPin} {
		err = s.each(prefix(kind, s.name), func(key, val []byte) error {
			s.digest += mark(key, val)
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// sums compares the digest; a missing one is added.
func (s *sourceVerifier) sums() (lost string, err error) {
	switch {
	case s.h.Summed && s.h.Digest != s.digest:
		lost = fmt.Sprintf("index records or hard links of source %s are missing, or are older ones", s.name)
	case s.h.Summed && !s.summed:
		lost = "the root record is missing"
	case !s.h.Summed && s.summed:
		lost = fmt.Sprintf("the header of source %s is an older one", s.name)
	case !s.h.Summed:
		s.h.Summed, s.h.Digest = true, s.digest
		key := sourceKey(s.name)
		s.upgrade = append(s.upgrade, op{key: key, val: s.h.encode(key)})
	}
	return lost, nil
}

// remotes compares what each remote keeps with its cursor.
func (s *sourceVerifier) remotes() (lost string, err error) {
	pre := prefix(kindCursor, s.name)
	err = s.each(pre, func(key, val []byte) error {
		c, err := decodeCursor(key, val)
		if err != nil {
			return s.j.corrupt(key, err)
		}
		s.top += mark(key, val)
		name := string(key[len(pre):])
		found, err := s.holdings(name)
		switch {
		case err != nil:
			return err
		case c.Summed && c.holdings != found:
			lost = fmt.Sprintf("retry records, full sync or state of remote %s/%s are missing, or are older ones", s.name, name)
		case c.Summed != s.summed:
			lost = fmt.Sprintf("the root record, or the cursor of remote %s/%s, is missing or an older one", s.name, name)
		case !c.Summed:
			c.holdings = found
			s.upgrade = append(s.upgrade, op{key: append([]byte(nil), key...), val: c.encode(key)})
		}
		return nil
	})
	return lost, err
}

func (s *sourceVerifier) holdings(remote string) (h holdings, err error) {
	h.Summed = true
	if h.Retries, h.Digest, err = storedRetries(s.j, s.txn, s.name, remote); err != nil {
		return h, err
	}
	if h.Full, err = storedMark(s.j, s.txn, remoteKey(kindFull, s.name, remote)); err != nil {
		return h, err
	}
	h.State, err = storedMark(s.j, s.txn, remoteKey(kindState, s.name, remote))
	return h, err
}
