package watch

import "golang.org/x/sys/unix"

// A store to mapped memory causes no event, and time stamps only where it makes
// a page dirty: what is stored to the same page before the page is written back
// leaves no trace but the content. fanotify tells when the last user of a file
// that was opened for writing is gone, with his mappings, which covers that. But
// many files are opened for writing and closed unchanged (lock files, databases
// that are only read), and must not be compared by content each time.

// storesShow says that a file that was closed at wall, ns since 1970, cannot have
// been changed through a mapping without that its present time stamps tell: its
// ctime, which nobody can put back, is from before the oldest page that may not
// have been written back then.
func (t *Tree) storesShow(st *unix.Stat_t, wall int64) bool {
	if t.fan == nil {
		return true
	}
	m := t.fan.marks[uint64(st.Dev)]
	return m != nil && !m.silent && st.Ctim.Nano() < wall-int64(writeback)
}
