package journal

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Stats is a snapshot of the journal's size.
type Stats struct {
	DiskBytes  int64  // blocks in use by the database
	FreeBytes  uint64 // on its file system
	FreeInodes uint64
	Commits    uint64 // transactions since Open
	Sources    []SourceStats
}

// SourceStats is a snapshot of one source.
type SourceStats struct {
	Name        string
	Head        uint64
	Truncated   uint64
	Entries     uint64    // present
	Index       uint64    // records, tombstones and shadowed ones included
	OldestEntry time.Time // zero when there is none
	PinnedBy    string    // the remote with the smallest cursor, "" without remotes
	Pinned      uint64    // seqs that it still keeps from truncation
}

// Stats returns the present sizes. What cannot be read is zero.
func (j *Journal) Stats() Stats {
	st := Stats{DiskBytes: diskBytes(j.dir), Commits: j.commits.Load()}
	st.FreeBytes, st.FreeInodes, _ = freeSpace(j.dir) // zero is documented
	for _, s := range j.all() {
		st.Sources = append(st.Sources, s.stats())
	}
	return st
}

func (s *Source) stats() SourceStats {
	h := s.header()
	st := SourceStats{Name: s.name, Head: h.Head, Truncated: h.Truncated, Entries: h.Entries, Index: h.Index}
	low := h.Head + 1
	for _, r := range s.handles() {
		if c := r.Cursor(); c.Low < low {
			low, st.PinnedBy = c.Low, r.name
		}
	}
	if st.PinnedBy != "" {
		st.Pinned = h.Head - min(low, h.Head)
	}
	if first, err := s.Entries(0, 1); err == nil && len(first) > 0 {
		st.OldestEntry = s.j.OnWall(first[0].Time)
	}
	return st
}

// Over tells whether the journal is larger than limit, and which remote keeps
// it so: the one that is furthest behind, "" when no remote is behind. A limit
// of 0 is none.
func (st Stats) Over(limit int64) (source, remote string, over bool) {
	if limit <= 0 || st.DiskBytes <= limit {
		return "", "", false
	}
	most := uint64(0)
	for _, s := range st.Sources {
		if s.Pinned > most {
			most, source, remote = s.Pinned, s.Name, s.PinnedBy
		}
	}
	return source, remote, true
}

// diskBytes adds up what the files use; Badger's are sparse.
func diskBytes(dir string) int64 {
	names, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	merging := slices.ContainsFunc(names, func(e os.DirEntry) bool { return filepath.Ext(e.Name()) == keptSuffix })
	n := int64(0)
	for _, e := range names {
		if merging && filepath.Ext(e.Name()) == tableSuffix {
			continue // what is merged counts, and not what comes of it
		}
		info, err := e.Info()
		if err != nil {
			continue // deleted meanwhile
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			n += st.Blocks * 512
		}
	}
	return n
}
