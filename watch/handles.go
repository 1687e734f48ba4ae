package watch

import (
	"encoding/binary"
	"hash/maphash"
	"sync"

	"golang.org/x/sys/unix"
)

// handleID stands for a file handle with the id of its file system. A handle
// names one inode for ever: it holds the generation, so that one that was
// removed and whose number was used again has another. It is a hash of 128 bits,
// seeded anew in each process: all handles together would be big, and two of
// them cannot be made to meet.
type handleID [2]uint64

var handleSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// identify hashes what follows the header of an information record of
// fanotify(7): the id of the file system, the handle's length, its type and its
// bytes.
func identify(fidAndHandle []byte) handleID {
	return handleID{maphash.Bytes(handleSeeds[0], fidAndHandle), maphash.Bytes(handleSeeds[1], fidAndHandle)}
}

// fsid is the id of a file system as statfs(2) and fanotify(7) give it.
type fsid [8]byte

func fsidOf(st *unix.Statfs_t) fsid {
	var id fsid
	binary.NativeEndian.PutUint32(id[:4], uint32(st.Fsid.Val[0]))
	binary.NativeEndian.PutUint32(id[4:], uint32(st.Fsid.Val[1]))
	return id
}

// handleOf returns what events in an open directory are reported under.
func handleOf(fd int, id fsid) (handleID, error) {
	return (&handle{fd: fd}).id(id)
}

// id is what events in the directory are reported under.
func (h *handle) id(id fsid) (handleID, error) {
	if h.name(); h.nameErr != nil {
		return handleID{}, h.nameErr
	}
	buf := make([]byte, 0, 64)
	buf = append(buf, id[:]...)
	buf = binary.NativeEndian.AppendUint32(buf, uint32(h.stable.Size()))
	buf = binary.NativeEndian.AppendUint32(buf, uint32(h.stable.Type()))
	return identify(append(buf, h.stable.Bytes()...)), nil
}

// subscription is a tree that wants the events of a directory, and the inode that
// the tree knows it by.
type subscription struct {
	to  *fanotify
	key fileKey
}

// handles are the directories whose events are wanted. The trees change them, and
// the goroutine that reads events asks for each.
type handles struct {
	mu   sync.RWMutex // guards the following
	of   map[handleID]subscription
	more map[handleID][]subscription // further ones, of trees that overlap; a list is never changed
}

func newHandles() *handles {
	return &handles{of: map[handleID]subscription{}, more: map[handleID][]subscription{}}
}

// add subscribes a tree, which may have been before under another inode.
func (h *handles) add(id handleID, s subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if first, ok := h.of[id]; !ok || first.to == s.to {
		h.of[id] = s
		return
	}
	h.more[id] = append(without(h.more[id], s.to), s)
}

// remove ends the subscription of a tree.
func (h *handles) remove(id handleID, to *fanotify) {
	h.mu.Lock()
	defer h.mu.Unlock()
	more := h.more[id]
	if h.of[id].to == to {
		if len(more) == 0 {
			delete(h.of, id)
			return
		}
		h.of[id] = more[0]
		to = more[0].to
	}
	if more = without(more, to); len(more) > 0 {
		h.more[id] = more
	} else {
		delete(h.more, id)
	}
}

// without returns a copy.
func without(list []subscription, to *fanotify) []subscription {
	var rest []subscription
	for _, s := range list {
		if s.to != to {
			rest = append(rest, s)
		}
	}
	return rest
}

// find returns who has subscribed to a directory; first is zero if nobody has.
func (h *handles) find(id handleID) (first subscription, more []subscription) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	first = h.of[id]
	if len(h.more) > 0 {
		more = h.more[id]
	}
	return first, more
}
