package journal

import (
	"bytes"
	"maps"
	"sync/atomic"
)

// rootKeeper knows the root as committed and the marks it sums up.
type rootKeeper struct {
	rootRecord
	marks  map[string]uint64 // of headers and cursors, by key
	serial *atomic.Uint64    // follows root.Serial, for other goroutines
}

// nextRoot is the root of a transaction in the making.
type nextRoot struct {
	rootRecord
	keeper  *rootKeeper
	changed map[string]uint64
}

func underRoot(key []byte) bool {
	return len(key) > 0 && key[0] == kindCursor || bytes.HasPrefix(key, sourcePrefix)
}

func (k *rootKeeper) begin() *nextRoot {
	return &nextRoot{rootRecord: rootRecord{Serial: k.Serial + 1, Digest: k.Digest}, keeper: k}
}

// note follows a write of the transaction.
func (n *nextRoot) note(o op) {
	if !underRoot(o.key) {
		return
	}
	was, seen := n.changed[string(o.key)]
	if !seen {
		was = n.keeper.marks[string(o.key)]
	}
	o.was = was
	n.Digest += o.delta()
	if n.changed == nil {
		n.changed = map[string]uint64{}
	}
	n.changed[string(o.key)] = 0
	if o.val != nil {
		n.changed[string(o.key)] = mark(o.key, o.val)
	}
}

// take makes the root of a committed transaction the present one.
func (k *rootKeeper) take(n *nextRoot) {
	k.rootRecord = n.rootRecord
	maps.Copy(k.marks, n.changed)
	k.serial.Store(n.Serial)
}
