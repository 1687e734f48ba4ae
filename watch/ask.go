package watch

// HaveFanotify says why fanotify cannot be had by this process, or nil. Whether a
// file system can be marked shows when it is watched.
func HaveFanotify() error {
	g, err := openGroup(nil)
	if err != nil {
		return err
	}
	g.close()
	return nil
}

// WatchLimit is how many inotify watches this user may have, 0 if that is unknown.
func WatchLimit() int { return readLimit("max_user_watches") }

// ChangedElsewhere tells whether other hosts may change what is at abs, of which
// no event tells.
func ChangedElsewhere(abs string) bool { return remoteFS(fsMagic(abs)) }
