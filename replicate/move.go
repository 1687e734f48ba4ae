package replicate

import (
	"context"
	"path"
	"strings"
	"time"

	"gorsyncd/journal"
)

// A directory that is renamed is journaled as the removal of its old path and
// as changes of the new one and of everything below it: what is there is sent
// again. The remote still has it under the old path, so the receiver is told to
// look there (--link-dest) before the removal is carried out. That the two are
// one directory is seen by the inode, which the tombstone of the removed path
// keeps.
//
// None of this is trusted. A run of LaneMove only makes what is missing on the
// remote, and acknowledges nothing: the other lanes have everything after it,
// and find it there. It compares the content of each file on both sides
// (--checksum), which takes reading and hardly any traffic: below the old path
// there may be a file of that name, size and mtime with another content, whose
// correction was given up with its path. It leaves alone what is there
// (--ignore-existing): found equal in content, its attributes would be set, and
// it may be one file with another, by a link of the source that is no more, or
// by a run of this kind for a directory that was here before. A wrong pair, a
// path that the remote does not have, and a run that fails cost bytes, as
// without it.
//
// As long as both paths are there they share their inodes on the remote. So
// before the first run the removal becomes a record of the retry set: that is
// durable, survives a full sync that gives up the cursor, and keeps the
// tombstone with what it shadows, by which the journal sees, should the old path
// come back, that its files are others although size and mtime are the same,
// and has them written anew (journal.FlagChecksum). With DeleteNone, where the
// old path stays, its files are copied instead (--copy-dest).
//
// A big file is a move of its own. Under another name in the same directory
// nothing can be linked, but rsync finds a file of the same size and mtime there
// (--fuzzy), of which it builds the new one: what goes over the wire are sums of
// its blocks. (In the directories of --link-dest it finds none, whatever its
// manual says of -yy: what has another name in another directory is sent.)
//
// For a directory whose old path another one has taken, see move_replaced.go. What
// two directories have that changed places is sent: both are there on the remote,
// and nothing is missing that could be linked.

const (
	// moveWait is how long the removal of a directory waits for its new path to
	// be journaled, as a rule in the same commit.
	moveWait = 100 * time.Millisecond
	// moveGather is how long what is below a new path waits for the rest of the
	// scan, so that few runs carry it.
	moveGather = 400 * time.Millisecond
	// moveFence is how long the scan of the new path may take.
	moveFence = 30 * time.Second
	// movePatience is how long the removal waits for what was journaled below
	// the new path while the remote takes something.
	movePatience = time.Minute
	// moveStart is how long what is below new directories waits for the end of
	// the first scan, which may have the removals that belong to them; and what is
	// below replaced ones, as it may have what became of the former.
	moveStart = 2 * time.Second
	// moveTries is how many runs of a move may be cut off.
	moveTries = 2
	maxMoves  = 1000    // removals that may wait at a time
	moveFile  = 1 << 20 // files from this size on are moves of their own
	moveFiles = 20_000
	// moveRate is how many bytes in a second of Timeout one run may have to
	// compare: rsync may be silent as long as it reads.
	moveRate = 16 << 20
)

// inode identifies a file as the journal does.
type inode struct{ dev, ino uint64 }

// passage is what was moved, from where to where.
type passage struct {
	file bool
	from string // the old path, whose removal waits
	inode
	to string // the new path; "" as long as it is not known
}

// move is a directory or big file that went away and may have got another path
// only. It belongs to the goroutine of Run; a run has a copy of the passage, as
// the move may be given another new path meanwhile.
type move struct {
	passage
	replaced bool    // another directory is at the old path; it waits instead of a removal
	lost     removed // what the guard has yet to count
	// below is the same of what went away below a directory that was replaced.
	below map[string]removed

	until  time.Time // the removal waits so long for the new path
	limit  time.Time // and so long for what is below that
	gather time.Time // what is below it waits so long for the rest
	fence  uint64    // what is to be waited for has no newer seq
	fenced bool
	asked  string // the new path for which the fence was asked for
	kept   bool   // the removal is a record of the retry set
	commit uint64 // after that the record is durable
	rest   int    // items below the new path that wait, up to the fence
	flying int    // runs under way
	cut    int    // runs that were cut off
	broken bool   // what is below is sent as everything else
}

// moves are the directories whose removal waits. They belong to the goroutine
// of Run.
type moves struct {
	off      bool
	from     map[string]*move
	to       map[string]*move
	inodes   map[inode]*move
	replaced int    // so many of them
	surveyed uint64 // items up to this seq were looked at

	begun time.Time
	head  uint64 // of the journal then
	ready uint64 // the first scan is journaled at or below it; 0 for not yet
}

// shadowed is what a Tree may also tell: what the index keeps of a path that
// does not count any more.
type shadowed interface {
	Stored(path string) (journal.Record, bool, error)
	NewestReplaced() uint64
}

var _ shadowed = (*journal.Source)(nil)

// beginMoves is called when the state is loaded. Removals that wait in the
// retry set without having failed may have been kept by a move.
func (d *Dispatcher) beginMoves(now time.Time) {
	_, can := d.o.Tree.(shadowed)
	d.moves = moves{off: !can || !mayLink(d.o.Rsync.Args), begun: now, head: d.o.Feed.Head()}
	for path, r := range d.retries.byPath {
		if r.Op == journal.OpRemove && r.Attempts == 0 {
			d.mayMove(path, r.Seq, now)
			d.countKept(path, r.Retry)
		}
	}
}

// mayLink tells whether the user's arguments go with ours: rsync takes one kind
// of --link-dest only, and what writes in place would write into both names.
func mayLink(args []string) bool {
	for _, a := range args {
		name, _, _ := strings.Cut(a, "=")
		switch name {
		case "--inplace", "--append", "--append-verify", "--link-dest", "--copy-dest", "--compare-dest", "--write-devices":
			return false
		}
	}
	return true
}

// tookMove follows an entry that was read.
func (d *Dispatcher) tookMove(e journal.Entry, now time.Time) {
	m := d.moves.from[e.Path]
	if m != nil && m.replaced && e.Op == journal.OpChange {
		return // it goes on changing
	}
	if m != nil {
		d.moves.drop(m) // it came back, or went once more
		d.guardBelow(m, now)
	}
	if above, ok := parentOf(e.Path); ok && d.moves.behind(above) != nil {
		return // it is found with the directory that was there
	}
	if e.Op == journal.OpRemove {
		d.mayMove(e.Path, e.Seq, now)
	} else {
		d.mayReplace(e, now)
	}
}

// mayMove has the removal of a directory or big file wait.
func (d *Dispatcher) mayMove(path string, seq uint64, now time.Time) {
	if d.moves.off || d.full != nil || len(d.moves.from) >= maxMoves {
		return
	}
	t, ok := d.o.Tree.(shadowed)
	if !ok {
		return
	}
	// An error shows up wherever the journal is used next.
	r, known, err := t.Stored(path)
	if err != nil || !known || r.Type != journal.Gone || r.LastSeq != seq || r.Ino == 0 {
		return
	}
	file := r.Size > 0                                                                           // a directory's is 0 in the index
	if id := (inode{r.Dev, r.Ino}); d.moves.inodes[id] == nil && (!file || r.Size >= moveFile) { // else it was moved on, and the remote has it at the first path
		d.moves.add(&move{passage: passage{file: file, from: path, inode: id}, until: now.Add(moveWait)})
	}
}

func (s *moves) add(m *move) {
	if s.from == nil {
		s.from, s.to, s.inodes = map[string]*move{}, map[string]*move{}, map[inode]*move{}
	}
	s.from[m.from], s.inodes[m.inode] = m, m
	if m.replaced {
		s.replaced++
	}
	s.surveyed = 0
}

// drop lets the removal go.
func (s *moves) drop(m *move) {
	if s.from[m.from] == m {
		delete(s.from, m.from)
		if m.replaced {
			s.replaced--
		}
	}
	if s.to[m.to] == m {
		delete(s.to, m.to)
	}
	if s.inodes[m.inode] == m {
		delete(s.inodes, m.inode)
	}
}

// surveyMoves looks for the new paths of directories whose removal waits, has
// what belongs to them gathered, and lets go of what need not wait any more. It
// is called before each planning.
func (d *Dispatcher) surveyMoves(ctx context.Context, l *look, now time.Time) {
	s := &d.moves
	if s.ready == 0 && d.scanned() {
		s.ready = max(1, d.o.Feed.Head())
	}
	if len(s.from) == 0 {
		return
	}
	for it := range d.queue.all() {
		if it.Op == journal.OpChange && it.Seq > s.surveyed {
			s.spot(it.Path, l.dirSeen, now)
		}
	}
	s.surveyed = d.ledger.read
	for _, m := range s.from {
		m.rest = 0
	}
	if len(s.to) > 0 {
		for it := range d.queue.all() {
			if m := s.above(it.Path); m != nil && !it.moved && (!m.fenced || it.Seq <= m.fence) {
				m.rest++
			}
		}
	}
	for _, m := range s.from {
		if m.to != "" && s.entangled(m) {
			m.broken = true
			if m.replaced {
				s.drop(m)
				d.guardMoved(m, now)
				continue
			}
		}
		if m.to != "" && !m.kept {
			d.keepMoved(m, now)
		}
		if m.to != "" && m.asked != m.to {
			d.fenceMove(ctx, m)
		}
		if d.passedMove(m, now) {
			s.drop(m)
			d.guardMoved(m, now)
		}
	}
}

// spot finds out whether a path is, or lies below, a directory whose removal
// waits.
func (s *moves) spot(path string, seen func(dir string) Seen, now time.Time) {
	for dir, ok := path, true; ok && dir != ""; dir, ok = parentOf(dir) {
		at := seen(dir)
		m := s.inodes[inode{at.Dev, at.Ino}]
		if m == nil || m.from == dir || m.to == dir || !(at.Presence == IsDir && !m.file || at.Presence == IsFile && m.file && dir == path) {
			continue
		}
		if s.to[m.to] == m { // it has been moved on
			delete(s.to, m.to)
		}
		m.to, m.fenced, m.fence, m.asked = dir, false, 0, ""
		m.gather, m.limit = now.Add(moveGather), now.Add(movePatience)
		if o := s.to[dir]; o != nil { // which was there before
			o.to, o.until = "", now.Add(moveWait)
		}
		s.to[dir] = m
	}
}

// above returns the move that a path was made with: its own, if it is a file, or
// that of the nearest directory above it.
func (s *moves) above(path string) *move {
	if m := s.to[path]; m != nil && m.file {
		return m
	}
	for dir, ok := parentOf(path); ok; dir, ok = parentOf(dir) {
		if m := s.to[dir]; m != nil && !m.file {
			return m
		}
	}
	return nil
}

// dirs are the new and the old directory of a run.
func (m *passage) dirs() (to, from string) {
	if !m.file {
		return m.to, m.from
	}
	return dirOf(m.to), dirOf(m.from)
}

// renamed tells whether the last element of the path is another.
func (m *passage) renamed() bool { return path.Base(m.from) != path.Base(m.to) }

func dirOf(path string) string {
	dir, _ := parentOf(path)
	return dir
}

// keepMoved makes the removal a record of the retry set.
func (d *Dispatcher) keepMoved(m *move, now time.Time) {
	switch it := d.queue.get(m.from); {
	case m.replaced: // its entries are not acknowledged before
	case it != nil:
		d.sideline(it, now)
	case d.retries.get(m.from) == nil:
		d.moves.drop(m) // it is under way
		d.guardMoved(m, now)
		return
	}
	m.kept, m.commit = true, d.update.settled()
}

// fenceMove finds out up to where the journal tells of the new path.
func (d *Dispatcher) fenceMove(ctx context.Context, m *move) {
	to := m.to
	m.asked = to
	why := d.unlinkable(m)
	m.broken = m.broken || why != ""
	d.log.Debug("a path was moved", "path", to, "from", m.from, "linked", !m.broken, "reason", why)
	answer := func(seq uint64) {
		if m.to == to {
			m.fence, m.fenced = seq, true
		}
	}
	if d.o.Fence == nil {
		answer(d.o.Feed.Head())
		return
	}
	go func() {
		limited, cancel := context.WithTimeout(ctx, moveFence)
		defer cancel()
		seq, err := d.o.Fence(limited)
		if err != nil { // then what is journaled by now has to do
			seq = d.o.Feed.Head()
		}
		_ = d.do(ctx, func() { answer(seq) }) // it fails when Run ends, and then nobody waits
	}()
}

// unlinkable tells why what was moved is not to be linked, "" when it may be.
func (d *Dispatcher) unlinkable(m *move) string {
	switch {
	case m.file && m.renamed() && dirOf(m.to) != dirOf(m.from):
		return "another name in another directory"
	case !d.o.reaches(&m.passage):
		return "its name"
	case d.mayLeadElsewhere(m):
		return "the remote may have no directory at the old path"
	}
	return ""
}

// mayLeadElsewhere tells whether the remote may have a symbolic link at or above
// the old path, where the index had a directory: what is linked from there could
// be anybody's. What is to take the place of a directory that is replaced says
// nothing of the directory.
func (d *Dispatcher) mayLeadElsewhere(m *move) bool {
	for dir, ok := m.from, true; ok && dir != ""; dir, ok = parentOf(dir) {
		q, r := d.queue.get(dir), d.retries.get(dir)
		if m.replaced && dir == m.from {
			q = nil
		}
		if d.turning[dir] > 0 || q != nil && q.Flags&journal.FlagTurned != 0 || r != nil && r.item.Flags&journal.FlagTurned != 0 {
			return true
		}
	}
	return false
}

// passedMove tells whether the removal need not wait any more.
func (d *Dispatcher) passedMove(m *move, now time.Time) bool {
	switch {
	case m.to == "" && m.replaced && now.After(m.until) && now.Sub(d.moves.begun) > moveStart:
		return true // the index may be long in being complete
	case m.to == "":
		return now.After(m.until) && d.moves.ready > 0 && d.ledger.read >= d.moves.ready
	case m.flying > 0:
		return false
	case m.broken && m.lost.count == 0:
		return true
	case m.fenced && d.ledger.read >= m.fence && (m.broken || m.rest == 0):
		return true // and the index has all that is under the new path, for the guard
	case d.breaker.open():
		m.limit = now.Add(movePatience)
	}
	return now.After(m.limit)
}

// nextMove is when something of the moves is due by itself.
func (s *moves) next(sooner func(time.Time)) {
	for _, m := range s.from {
		if m.to == "" {
			sooner(m.until)
		} else {
			sooner(m.gather)
			sooner(m.limit)
		}
	}
}
