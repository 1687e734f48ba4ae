package journal

import "time"

// racyWindow is more than two ticks of the coarsest kernel clock (HZ=100)
// that time stamps are taken from.
const racyWindow = int64(20 * time.Millisecond)

// normal clears what a fingerprint does not cover.
func (s State) normal() State {
	if s.Type == Dir {
		s.Size, s.Nlink = 0, 0
	}
	if s.Type != CharDev && s.Type != BlockDev {
		s.Rdev = 0
	}
	return s
}

// Same tells whether the observation has the fingerprint of the record, and
// remotes have been told of it as far as the observation asks for. It does not ask
// whether the record is racy.
func Same(r Record, o Observation) bool {
	if r.Type == Gone || o.State.Type == Gone {
		return r.Type == o.State.Type
	}
	if r.Behind && !o.AttributesLater {
		return false
	}
	return r.State.normal() == o.State.normal()
}

// Racy tells whether the path may have changed after it was observed without
// a trace in its time stamps. An mtime in the future was set by hand and says
// nothing; the ctime then decides alone.
func (r Record) Racy() bool {
	if r.Type == Gone {
		return false
	}
	age := r.ObservedAt - r.Mtime
	return r.ObservedAt-r.Ctime < racyWindow || age >= 0 && age < racyWindow
}

// linked tells whether the path has an inode key.
func (s State) linked() bool { return s.Type != Gone && s.Type != Dir && s.Nlink > 1 }

// sameInode tells whether two states are of one file.
func (s State) sameInode(o State) bool { return s.Dev == o.Dev && s.Ino == o.Ino }

// relabelled tells whether another ctime than the recorded one is explained by
// another mode, owner or link count. Without the promise of Unwritten it is not:
// they may hide a write whose mtime was put back.
func (o Observation) relabelled(old Record) bool {
	s := o.State
	return o.Unwritten && (s.Mode != old.Mode || s.UID != old.UID || s.GID != old.GID || s.Nlink != old.Nlink)
}

// attributesAlone tells whether nothing but attributes can have changed since the
// record was made, and they are to go along with the next change of content. Of a
// directory that is still the same one these are all that it has. Of a file it
// takes the promise that nothing was written, and another mode or owner, which
// explains the ctime, or the same one; what shows in the ctime alone (extended
// attributes, but also a write that puts the mtime back) counts as a change.
func (o Observation) attributesAlone(old Record) bool {
	s := o.State
	if !o.AttributesLater || old.Type != s.Type || !s.sameInode(old.State) {
		return false
	}
	switch s.Type {
	case Dir:
		return !o.Renewed
	case File:
		return o.Unwritten && s.Size == old.Size && s.Mtime == old.Mtime && s.Nlink == old.Nlink &&
			(s.Mode != old.Mode || s.UID != old.UID || s.GID != old.GID || s.Ctime == old.Ctime && old.Racy())
	}
	return false
}

// needsChecksum tells whether a remote that has the recorded state, or an
// earlier one, could take the observed file for unchanged because size and
// mtime are equal.
func needsChecksum(old Record, o Observation) bool {
	s := o.State
	if s.Type != File {
		return false
	}
	if (old.Type == File || old.Type == Gone) && s.Size == old.Size && s.Mtime == old.Mtime {
		return old.Type == Gone || old.Racy() || !s.sameInode(old.State) || s.Ctime != old.Ctime && !o.relabelled(old)
	}
	// An mtime set back to before the last look may be one that the remote
	// has: it need not have been told of the state in between.
	return s.Mtime < old.ObservedAt && (old.Type != File || s.Mtime != old.Mtime)
}
