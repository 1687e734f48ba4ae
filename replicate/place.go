package replicate

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// idPlace is the error of a local target that is another directory, or on
// another file system, than before: as a rule its disk is not mounted, and
// rsync would fill the bare directory below.
const idPlace = "E-PLACE"

// placeOf is the identity of an open local target, as RemoteState.Place has it:
// inode, id and kind of the file system, and the path, since a target that was
// configured anew is no surprise. The device number is left out: it may change
// with each mount.
func placeOf(f *os.File) (string, error) {
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Fstat(int(f.Fd()), &st), unix.Fstatfs(int(f.Fd()), &fs)); err != nil {
		return "", err
	}
	id, err := journal.FileSystemID(int(f.Fd()))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d:%016x:%x %s", st.Ino, id, uint64(fs.Type), f.Name()), nil
}

// expects tells whether a place was stored for this path, and so has to be the
// one that is found.
func expects(stored, path string) bool {
	_, at, ok := strings.Cut(stored, " ")
	return ok && at == path
}

// openPlace opens the directory of a local target. It is never created: rsync
// would fill the disk below the mount point of one that is not mounted. As long
// as it is open it cannot be unmounted. No permission to read it is needed.
func openPlace(path string) (*os.File, string, error) {
	f, err := os.OpenFile(path, unix.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, "", err
	}
	place, err := placeOf(f)
	if err != nil {
		f.Close()
		return nil, "", err
	}
	return f, place, nil
}

// enterLocal opens a local target and compares it with the place where it was,
// "" for none. For other targets the file is nil.
func (t *rsyncTransport) enterLocal(stored string) (*os.File, string, Outcome) {
	path := t.o.Target.Path
	if t.o.Target.Kind != Local {
		return nil, "", Outcome{}
	}
	f, place, err := openPlace(path)
	if err != nil {
		return nil, "", Outcome{ID: "E-MODPATH", Class: ClassConfig, Message: err.Error(),
			Hint: "create or mount the destination directory; it is never created, so that an unmounted disk is not filled"}
	}
	if expects(stored, path) && stored != place {
		f.Close()
		return nil, "", Outcome{ID: idPlace, Class: ClassConfig,
			Message: path + ": the target is another directory or file system than before",
			Hint:    "mount it, or approve the remote to accept it"}
	}
	return f, place, Outcome{}
}

// found stores the place of a local target when it is used for the first time.
func (d *Dispatcher) found(place string) {
	if place != "" && !expects(d.state.Place, d.o.Target.Path) {
		d.state.Place, d.update.state = place, true
	}
}

// acceptPlace takes the present place of a local target for the right one, if
// another is what keeps the remote from going on. It need not have what the
// old one had, hence the full sync; both are durable together.
func (d *Dispatcher) acceptPlace(place string, now time.Time) {
	if place == "" || place == d.state.Place || !d.breaker.open() || d.breaker.out.ID != idPlace {
		return
	}
	d.state.Place, d.update.state = place, true
	d.breaker.until = now
	d.log.Warn("another place is accepted", "path", d.o.Target.Path)
	d.beginFull(FullSyncRequest{Reason: "another place was approved"}, now)
}

// presentPlace is the place of a local target now, "" when there is none.
func presentPlace(t Target) string {
	if t.Kind != Local {
		return ""
	}
	f, place, err := openPlace(t.Path)
	if err != nil {
		return ""
	}
	f.Close()
	return place
}
