package journal

import (
	"bytes"
	"errors"
	"fmt"
)

// sourceChecker is Check of one source.
type sourceChecker struct {
	*checker
	src     string
	h       header
	pins    map[string]uint64
	remotes map[string]bool
	links   uint64 // records that need an inode key
}

func (s *sourceChecker) problem(format string, args ...any) {
	s.checker.problem("source %s: %s", s.src, fmt.Sprintf(format, args...))
}

func (s *sourceChecker) record(path string) (Record, bool, error) {
	return lookup(s.j, s.txn, indexKey(s.src, path), decodeRecord)
}

func (s *sourceChecker) pinned() error {
	pre := prefix(kindPin, s.src)
	return s.each(pre, func(key, val []byte) error {
		seq, err := decodeSeq(key, val)
		if err != nil {
			return s.j.corrupt(key, err)
		}
		s.pins[pathOf(key[len(pre):])] = seq
		return nil
	})
}

// entries: within bounds, counted, and newest of their path.
func (s *sourceChecker) entries() error {
	var n, sum uint64
	err := s.each(prefix(kindEntry, s.src), func(key, val []byte) error {
		n++
		sum += seqOf(key)
		e, err := decodeEntry(key, val)
		if err != nil {
			return s.j.corrupt(key, err)
		}
		if e.First == 0 || e.First > e.Seq {
			s.problem("entry %d stands for entries from %d on", e.Seq, e.First)
		}
		if e.Seq <= s.h.Truncated || e.Seq > s.h.Head {
			s.problem("entry %d is outside of %d to %d", e.Seq, s.h.Truncated+1, s.h.Head)
		}
		if checkPath(e.Path) != nil {
			s.problem("entry %d has an invalid path %.100q", e.Seq, e.Path)
		}
		if e.Op == OpRemove && e.Count == 0 {
			s.problem("entry %d removes nothing", e.Seq)
		}
		r, known, err := s.record(e.Path)
		if err != nil || e.Seq <= s.h.Swept {
			return err
		}
		if !known || r.baseline || r.LastSeq != e.Seq || (r.Type == Gone) != (e.Op == OpRemove) {
			s.problem("entry %d of %.200q and its index record disagree", e.Seq, e.Path)
		}
		return nil
	})
	s.rep.Entries += n
	if n != s.h.Entries || sum != s.h.Sum {
		s.problem("%d entries with sum %d, but %d with sum %d were acknowledged", n, sum, s.h.Entries, s.h.Sum)
	}
	if s.h.Truncated > s.h.Swept || s.h.Swept > s.h.Head {
		s.problem("truncated %d, swept %d and head %d are out of order", s.h.Truncated, s.h.Swept, s.h.Head)
	}
	return err
}

// index: counted, each record below another one, in step with the entries.
func (s *sourceChecker) index() error {
	pre := prefix(kindIndex, s.src)
	n := uint64(0)
	type above struct {
		below []byte // start of the keys below
		r     Record
	}
	var stack []above
	err := s.each(pre, func(key, val []byte) error {
		n++
		for len(stack) > 0 && !bytes.HasPrefix(key, stack[len(stack)-1].below) {
			stack = stack[:len(stack)-1]
		}
		r, err := decodeRecord(key, val)
		if err != nil {
			return s.j.corrupt(key, err)
		}
		path := pathOf(key[len(pre):])
		below := append(bytes.Clone(key), 0)
		if path == "" {
			below = bytes.Clone(key)
		} else if up := bytes.LastIndexByte(key, 0); len(stack) == 0 ||
			len(stack[len(stack)-1].below) != up+1 {
			// A sweep that goes on takes directories before what is in them.
			swept := len(stack) > 0 && stack[len(stack)-1].r.Type != Dir &&
				stack[len(stack)-1].r.LastSeq > s.h.Swept && r.LastSeq < stack[len(stack)-1].r.LastSeq
			if !swept {
				s.problem("record %.200q has no record of its directory", path)
			}
		} else if top := stack[len(stack)-1].r; top.Type != Dir && r.LastSeq >= top.LastSeq {
			s.problem("record %.200q is newer than what shadows it", path)
		}
		stack = append(stack, above{below, r})
		return s.inStep(path, r)
	})
	s.rep.Index += n
	if n != s.h.Index {
		s.problem("%d index records, but %d were acknowledged", n, s.h.Index)
	}
	return err
}

// inStep verifies one record by itself and against its entry.
func (s *sourceChecker) inStep(path string, r Record) error {
	if checkPath(path) != nil {
		s.problem("index record has an invalid path %.100q", path)
	}
	if r.LastSeq > s.h.Head || r.Since > r.LastSeq || r.Since != 0 && r.Type != Dir || r.below != 0 && r.Type == Dir || r.was != (fileID{}) && r.Type != Dir {
		s.problem("record %.200q is impossible: last seq %d, since %d, below %d", path, r.LastSeq, r.Since, r.below)
	}
	if r.Type == Gone && r.LastSeq <= s.h.Swept && s.pins[path] != r.LastSeq {
		s.problem("tombstone %.200q at seq %d was not swept", path, r.LastSeq)
	}
	if r.linked() {
		s.links++
		_, found, err := lookup(s.j, s.txn, inodeKey(s.src, r.Dev, r.Ino, path), decodeSeq)
		if err != nil {
			return err
		}
		if !found {
			s.problem("record %.200q has no inode key", path)
		}
	}
	if r.baseline || r.LastSeq <= s.h.Swept {
		return nil
	}
	e, found, err := lookup(s.j, s.txn, entryKey(s.src, r.LastSeq), decodeEntry)
	if err != nil {
		return err
	}
	if !found || e.Path != path {
		s.problem("entry %d of record %.200q is lost", r.LastSeq, path)
	}
	return nil
}

// inodes: one key per linked record and none besides.
func (s *sourceChecker) inodes() error {
	base := len(s.src) + 2 + 16
	n := uint64(0)
	err := s.each(prefix(kindInode, s.src), func(key, val []byte) error {
		n++
		if _, err := decodeSeq(key, val); err != nil || len(key) < base {
			return s.j.corrupt(key, errors.Join(err, errShort))
		}
		path := pathOf(key[base:])
		r, known, err := s.record(path)
		if err != nil {
			return err
		}
		if !known || !r.linked() || !bytes.Equal(key, inodeKey(s.src, r.Dev, r.Ino, path)) {
			s.problem("inode key of %.200q has no record", path)
		}
		return nil
	})
	if n != s.links {
		s.problem("%d inode keys for %d linked records", n, s.links)
	}
	return err
}

// cursors: possible, with readable state.
func (s *sourceChecker) cursors() error {
	pre := prefix(kindCursor, s.src)
	err := s.each(pre, func(key, val []byte) error {
		name := string(key[len(pre):])
		s.remotes[name] = true
		cur, err := decodeCursor(key, val)
		if err != nil {
			return s.j.corrupt(key, err)
		}
		if err := cur.Cursor.check(s.h.Head); err != nil {
			s.problem("remote %s: %v", name, err)
		}
		if cur.Low < s.h.Swept {
			s.problem("remote %s is at %d, but entries were given up to %d", name, cur.Low, s.h.Swept)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for kind, decode := range map[byte]func(key, val []byte) error{
		kindFull:  func(k, v []byte) error { _, err := decodeFullSync(k, v); return err },
		kindState: func(k, v []byte) error { _, err := decodeRemoteState(k, v); return err },
	} {
		pre := prefix(kind, s.src)
		err := s.each(pre, func(key, val []byte) error {
			if err := decode(key, val); err != nil {
				return s.j.corrupt(key, err)
			}
			if !s.remotes[string(key[len(pre):])] {
				s.problem("%s has no cursor", describe(key))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// retries: readable and possible. One without a remote is left by a
// DropRemote that was cut short, and harmless.
func (s *sourceChecker) retries() error {
	pre := prefix(kindRetry, s.src)
	return s.each(pre, func(key, val []byte) error {
		s.rep.Retries++
		t, err := decodeRetry(key, val)
		if err != nil {
			return s.j.corrupt(key, err)
		}
		remote, _, _ := bytes.Cut(key[len(pre):], []byte{0})
		if t.Seq > s.h.Head {
			s.problem("retry of %.200q at remote %s has seq %d above the head %d", t.Path, remote, t.Seq, s.h.Head)
		}
		if !bytes.Equal(key, retryKey(s.src, string(remote), t.Path)) {
			s.problem("retry of %.200q at remote %s stands at another path", t.Path, remote)
		}
		return nil
	})
}
