package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"syscall"

	"gorsyncd/journal"
)

// checkIndex stops the daemon, compares the index with a fresh walk, and
// starts the daemon again.
func (w *world) checkIndex() ([]string, error) {
	w.daemon.Stop()
	j, _, err := journal.OpenOffline(filepath.Join(w.state, "journal"))
	if err != nil {
		return nil, fmt.Errorf("open journal offline: %w", err)
	}
	bad, err := compareIndex(j, w.src)
	if cerr := j.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	return bad, w.start()
}

func compareIndex(j *journal.Journal, root string) ([]string, error) {
	s, err := j.Source(sourceName)
	if err != nil {
		return nil, err
	}
	var bad []string
	var walk func(rel string) error
	walk = func(rel string) error {
		have := map[string]journal.Record{}
		err := s.Children(rel, func(name string, r journal.Record, trusted bool) error {
			if trusted && r.Type != journal.Gone {
				have[name] = r
			}
			return nil
		})
		if err != nil {
			return err
		}
		entries, err := os.ReadDir(filepath.Join(root, rel))
		if err != nil {
			return err
		}
		for _, e := range entries {
			path := filepath.Join(rel, e.Name())
			r, ok := have[e.Name()]
			delete(have, e.Name())
			if !ok {
				bad = append(bad, fmt.Sprintf("index lacks %q", path))
				continue
			}
			if why := differs(r, filepath.Join(root, path)); why != "" {
				bad = append(bad, fmt.Sprintf("index has another %s of %q: %+v", why, path, r.State))
			}
			if e.IsDir() {
				if err := walk(path); err != nil {
					return err
				}
			}
		}
		for name := range have {
			bad = append(bad, fmt.Sprintf("index has %q, which is gone", filepath.Join(rel, name)))
		}
		return nil
	}
	err = walk("")
	sort.Strings(bad)
	return bad, err
}

// differs names what an index record has wrong.
func differs(r journal.Record, path string) string {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return err.Error()
	}
	dir := st.Mode&syscall.S_IFMT == syscall.S_IFDIR
	switch {
	case dir != (r.Type == journal.Dir):
		return "type"
	case r.Mode != st.Mode&0o7777 && st.Mode&syscall.S_IFMT != syscall.S_IFLNK:
		return "mode"
	case r.UID != st.Uid || r.GID != st.Gid:
		return "owner"
	case r.Ino != st.Ino:
		return "inode"
	case !dir && r.Size != st.Size:
		return "size"
	case r.Mtime != st.Mtim.Nano():
		return "mtime"
	}
	return ""
}
