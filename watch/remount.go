package watch

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A power cut, or a disk that is lost and mounted again, can leave a file with
// the size and the times that were observed and another content: a journaling
// file system keeps the new inode of a file that was overwritten in place and
// loses the data that was still in memory (ext4 with data=ordered does, within
// seconds of use). No comparison with the index can tell. So whenever the file
// system at the root was mounted anew, what had changed shortly before the last
// record is taken for changed once more, with its content compared.

// writeback is how long changed data may stay in memory. The kernel begins
// after 30 s (vm.dirty_expire_centisecs) and a slow disk takes its time.
const writeback = 10 * time.Minute

// mountID names one mounting of the file system that a directory is on: the
// boot and, where the kernel has it, the mount's unique id (Linux 6.8). A
// mount namespace of its own makes another one of it, which costs a comparison
// too many.
func mountID(fd int) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	id := strings.TrimSpace(string(boot))
	var st unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID_UNIQUE, &st) == nil && st.Mask&unix.STATX_MNT_ID_UNIQUE != 0 {
		id += fmt.Sprintf("/%x", st.Mnt_id)
	}
	return id
}

// MountedAnew tells whether a directory is on another mounting than the one that
// the last complete scan of a source has followed, or may be. A source that was
// never scanned is not.
func MountedAnew(root string, roots Roots) bool {
	known, ok := roots.Root()
	if !ok || known.Mount == "" {
		return false
	}
	h, err := openRoot(root)
	if err != nil {
		return true
	}
	defer h.close()
	return mountID(h.fd) != known.Mount
}

// unsettled returns what may have lost its data with the last mounting, none
// when the file system is still mounted as it was.
func (t *Tree) unsettled(known, now string) suspects {
	recorded := t.o.Roots.Recorded()
	if known == now || recorded.IsZero() {
		return suspects{}
	}
	t.log.Info("the file system was mounted anew; contents that were new then are compared", "source", t.abs,
		"changed_since", recorded.Add(-writeback))
	return suspects{from: recorded.Add(-writeback).UnixNano(), until: time.Now().UnixNano()}
}

// settled stores the mounting when a complete scan has followed it: a scan that
// is cut short must begin again with the same suspicion.
func (t *Tree) settled(ctx context.Context) error {
	known, ok := t.o.Roots.Root()
	if !ok || t.mountID == "" || known.Mount == t.mountID {
		return nil
	}
	known.Mount = t.mountID
	return t.setRoot(ctx, known)
}
