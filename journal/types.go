package journal

import "time"

// Op says what an entry asks of a remote.
type Op uint8

const (
	OpChange Op = 1 // the path exists: make the remote's equal
	OpRemove Op = 2 // the path is gone with all below it: remove it
)

// Flag refines an entry.
type Flag uint8

// FlagChecksum marks a change that rsync's quick check (size and mtime) may
// not see: the path must be sent with content compared.
const FlagChecksum Flag = 1

// FlagTurned marks a directory where the remotes may have something else: until
// it is sent, a path below it could lead elsewhere there, by a symbolic link. A
// removal has it when the directory went before all remotes were sent it.
const FlagTurned Flag = 2

// Entry is one difference between the tree and what the remotes were told.
type Entry struct {
	Seq   uint64
	Op    Op
	Flags Flag
	Path  string
	Time  time.Time // when it was journaled, by Journal.Now
	// First is the oldest seq that this entry stands for: a newer entry of a
	// path replaces the older one, but a remote that has not had the older is
	// behind since then; see Since. It is Seq when every remote had the older one.
	First     uint64
	FirstTime time.Time // when that was journaled
	// Count is the number of indexed paths that went away: for OpRemove at
	// least 1, for OpChange what was below a directory that is none any more.
	Count uint64

	hops string // what it has replaced, where that is not First for all
	mark uint64 // as stored
}

// Type is the kind of a file.
type Type uint8

const (
	Gone Type = iota // does not exist; in the index: a tombstone
	File
	Dir
	Symlink
	Fifo
	Socket
	CharDev
	BlockDev
)

// State is the fingerprint of a path: what lstat says, as far as replication
// cares.
type State struct {
	Type  Type
	Mode  uint32 // 12 permission bits
	UID   uint32
	GID   uint32
	Size  int64  // bytes; 0 for directories
	Mtime int64  // ns since 1970
	Ctime int64  // ns since 1970
	Dev   uint64 // 0 when on the source root's own device, whose number may change at each mount
	Ino   uint64
	Nlink uint32 // 0 for directories: their link count says nothing new
	Rdev  uint64 // devices only
}

// Record is the index's memory of a path.
type Record struct {
	State
	ObservedAt int64  // ns since 1970 when the state was read
	LastSeq    uint64 // newest entry of the path; the head at the time for a baseline record
	Since      uint64 // directories: records below with a smaller LastSeq do not count
	// Behind tells that attributes have changed since LastSeq of which no entry
	// tells; see Observation.AttributesLater.
	Behind bool

	baseline bool   // LastSeq is no entry of this path
	below    uint64 // no directories: records below that it shadows, until they are swept
	was      fileID // directories: the one that was here before Since, zero for none
	mark     uint64 // as stored
}

// fileID identifies a file as State does.
type fileID struct{ dev, ino uint64 }

// Replaced tells which directory was at the path before this one, which is there
// Since; ok is false when there was none. A remote that has not had Since may
// have that one still.
func (r Record) Replaced() (dev, ino uint64, ok bool) {
	return r.was.dev, r.was.ino, r.was.ino != 0
}

// Lost is how many paths went away with a directory that is one no more, itself
// not counted; 0 once they are swept.
func (r Record) Lost() uint64 { return r.below }

// Observation is what was seen at a path.
type Observation struct {
	Path  string
	State State // Type Gone when it does not exist
	At    int64 // ns since 1970, read before lstat

	// Confirm promises that a live watch has seen no event for the path since
	// the recorded observation: an equal racy record becomes trusted.
	Confirm bool
	// Suspect is when the last event was received (ns since 1970) that may have
	// told of a write. A file that looks unchanged but was recorded before is
	// journaled all the same: a write(2) sets the time stamps when it begins
	// and causes its event when it ends, which can be seconds later on a busy
	// disk, and a record made in between has the final fingerprint without the
	// final content. 0: none.
	Suspect int64
	// Renewed tells that a live watch saw the path created, deleted or moved
	// since the recorded observation: it may have been another, or absent, for
	// a moment in which a remote looked. See the package documentation.
	Renewed bool
	// Unwritten promises that no event that may have told of a write was
	// received since the recorded observation, and that all those received
	// before At were heeded: where mode, owner or link count are others, the
	// ctime is another for that reason.
	Unwritten bool
	// AttributesLater asks for no entry where the attributes alone have changed:
	// they go along with the next change of content. What counts as such is said
	// in the package documentation. Without it, paths that are behind differ.
	AttributesLater bool
	// Baseline writes a path that has no record to the index without an entry:
	// for the first scan of a source, whose remotes all get a full sync
	// afterwards anyway.
	Baseline bool
}

// Result says what Record made of one observation.
type Result struct {
	Seq     uint64 // the entry's seq, 0 when there was no difference
	Racy    bool   // the record is racy: confirm it later
	Descend bool   // a directory that is new, another one, or came back: scan it
}

// Range is an inclusive range of seqs.
type Range struct{ From, To uint64 }

// Cursor is how far a remote has come: everything at or below Low is done, and
// so is everything in Done (sorted, disjoint, above Low), so that batches
// acknowledged out of order are not sent again after a crash.
type Cursor struct {
	Low  uint64
	Done []Range
}

// Retry is a path that failed on a remote. It holds all that is needed to try
// again, so the journal's entry can be truncated.
type Retry struct {
	Path     string
	Seq      uint64 // newest entry it stands for
	Op       Op
	Flags    Flag
	Attempts int
	First    time.Time // first failure, or when it was queued again
	Next     time.Time // not before
	ErrorID  string    // stable id such as E-DEST-PERM
	Error    string
	// Since is when the oldest change was journaled (by Journal.Now) that the
	// remote has not had; zero for what stands for no change.
	Since time.Time
}

// NewRemote is the reason of the full sync that every new remote starts with.
const NewRemote = "new remote"

// FullSync is the progress of a full sync: a reconcile of every directory in
// index order.
type FullSync struct {
	Reason   string
	Started  time.Time
	Sub      string // only this subtree; "" for all
	Checksum bool
	After    string // all directories up to and including this one are done; meaningful when Begun
	Begun    bool
	Links    bool // directories are done; hard-link groups remain
	Done     uint64
	Total    uint64
	// Behind is since when (by Journal.Now) the remote is behind with something
	// that no entry tells of any more; zero for a full sync that only looks.
	Behind time.Time
}

// RemoteState is what an operator or a guard decided, and the last success.
type RemoteState struct {
	Paused      bool
	PauseReason string
	PausedUntil time.Time // zero: until resumed
	Held        string    // reason; "" when not held
	HeldSince   time.Time
	Approved    uint64 // removals up to this seq pass the guard
	LastSuccess time.Time
	LastFull    time.Time // end of the last complete full sync
	Target      string    // address it was last replicated to: another one needs a full sync
	Filter      string    // digest of the filter it was last replicated with: likewise
	Place       string    // identity of a local target's directory: another one is another disk
	Probe       Probe
	Verify      VerifyState
}

// Probe is what a look at the remote itself has found: whether it keeps what
// it is given.
type Probe struct {
	At       time.Time // of the last one that came to a result; zero for none
	Of       string    // what was asked of which target: another question needs another probe
	Dirty    bool      // one may have left its files on the remote
	Findings []Finding // what the remote does not keep, in order of ID; not to be changed
}

// Finding is one thing that a remote does not keep.
type Finding struct {
	ID     string // stable, such as W-OWNERS
	Since  time.Time
	Detail string // what was seen
}

// VerifyState is what the last comparison of a remote with its source came to.
// The zero value stands for none.
type VerifyState struct {
	Started, Ended time.Time
	Sub            string    // only this subtree; "" for everything
	Checksum       bool      // contents were compared
	Complete       bool      // everything could be compared
	Dirs, Paths    uint64    // compared
	Found          uint64    // paths that differed
	Repaired       uint64    // of them, those whose repair was journaled
	Diverged       uint64    // paths that are known to differ and are not repaired, from earlier ones as well
	DivergedSum    bool      // some of them may differ in content alone
	DivergedAt     time.Time // when such a path was last found
	Scheduled      time.Time // up to when the schedule has been served
}

// RootID tells whether a source root is still the same directory.
type RootID struct {
	Path string
	Dev  uint64
	Ino  uint64
	FSID uint64 // see FileSystemID

	// Mounts are the mount points below the root, relative to it, sorted and
	// joined by NUL: one that is none any more has lost what was in it to the
	// eye only.
	Mounts string

	// Mount tells one mounting of the file system from another, as far as a
	// complete scan has followed it; "" is unknown.
	Mount string
}
