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

// handles are the directories whose events are wanted. One goroutine changes
// them, and the one that reads events asks for each.
type handles struct {
	mu sync.RWMutex // guards the following
	of map[handleID]fileKey
}

func newHandles() *handles { return &handles{of: map[handleID]fileKey{}} }

func (h *handles) add(id handleID, key fileKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of[id] = key
}

func (h *handles) remove(id handleID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.of, id)
}

func (h *handles) find(id handleID) (fileKey, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	key, ok := h.of[id]
	return key, ok
}
