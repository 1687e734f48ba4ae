package replicate

import (
	"slices"
	"time"

	"gorsyncd/journal"
)

// Item is one path that a remote has yet to be made equal at.
type Item struct {
	Path  string
	Seq   uint64 // newest entry it stands for; 0 when it comes from a full sync
	First uint64 // oldest entry it stands for, as far as this remote has not had it
	Op    journal.Op
	Flags journal.Flag
	Count uint64    // removals: paths that went away
	Time  time.Time // when the oldest of what it stands for was journaled, by Options.Clock; zero for no change
	asked time.Time // the same by the clock of this process, or when it was queued
	Size  int64     // bytes of a regular file at the last look; 0 before
	alone bool      // it has aborted a whole batch before
	moved bool      // a run of LaneMove had it
	// attributes says that the run it travels with lists a directory for it, whose
	// attributes are all it reads.
	attributes bool
	// needless is the head of the journal when there was nothing to send for it; 0
	// before that.
	needless uint64

	link  *fullSync // whose last phase queued it, or nil
	state itemState
}

type itemState uint8

const (
	itemQueued itemState = iota
	itemInFlight
	itemDropped
)

// Lane is a kind of batch: what may travel together in one rsync run.
type Lane uint8

const (
	LaneList      Lane = iota + 1 // changes and removals below subdirectories
	LaneTop                       // changes and removals directly below the root
	LaneRoot                      // the attributes of the root
	LaneBig                       // one big file (with its hard links)
	LaneReconcile                 // whole directories, one level each
	LaneMove                      // links what was moved with a directory; see move
)

var laneNames = [...]string{"", "list", "top", "root", "big", "reconcile", "move"}

func (l Lane) String() string { return laneNames[l] }

// Batch is the work of one rsync run.
type Batch struct {
	ID        uint64
	Lane      Lane
	Content   bool     // compare content: list lanes rewrite (--ignore-times), reconcile uses --checksum
	Removes   bool     // paths that are gone are in Paths and are to be removed
	Covered   bool     // removals whose parent is gone, too
	Retry     bool     // made of the retry set
	Paths     []string // relative; reconcile: directories
	Parents   []string // directories listed only to be stamped
	Restamp   []string // directories the run may leave with a wrong mtime: stamp them afterwards
	Within    []string // directories it writes into and does not list: the same, in any case
	Items     []*Item  // what success acknowledges
	turning   []string // directories among them, see turning
	Bytes     int64    // of the regular files
	Locks     []Lock
	Started   time.Time
	chunk     *chunk   // of a full sync, or nil
	tidy      bool     // only looks for what an interrupted run has left
	maxDelete uint64   // reconcile with deletion: stop at so many; 0 = no limit
	spent     bool     // nothing more may be deleted at all: rsync has no such limit
	place     string   // where a local target was before; "" for unknown
	bare      bare     // arguments that the remote has no use for
	gone      []string // those of Paths that are to be removed
	gentle    bool     // the receiver aborts runs with missing paths
	existing  bool     // it makes nothing that the remote does not have
	makes     bool     // reconcile: it deletes nothing, which another run does
	move      *move    // of LaneMove; for the goroutine of Run only
	passage   passage  // that of the move when the batch was planned
	rate      int64    // the limit that it started with, where it can be stopped…
	stop      func()   // …when that changes; nil where it cannot
	progress  *progress

	// Of comparisons, which are run as Verify only.
	each   func(Change) // called with each change, in a goroutine of the run, instead of keeping it
	extras bool         // reconcile: also tell what only the remote has, whatever the mode of deletion
}

// Kind is the lane as shown to people: content comparison has its own name.
func (b *Batch) Kind() string {
	if b.Content && b.Lane != LaneReconcile && b.Lane != LaneMove {
		return "checksum"
	}
	return b.Lane.String()
}

// stampsRoot tells whether the run of a batch gives the root its attributes, last.
func (b *Batch) stampsRoot() bool {
	return b.Lane == LaneTop || b.Lane == LaneRoot || b.Lane == LaneReconcile && slices.Contains(b.Paths, "")
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
