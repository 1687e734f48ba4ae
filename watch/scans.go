package watch

import (
	"slices"
	"time"

	"gorsyncd/journal"
)

// scan is a directory to be compared with the index.
type scan struct {
	rel   string
	key   fileKey // the inode that was found there
	deep  bool    // scan all directories below, else only those that are new
	group *group
	suspects

	at       int64         // when the directory itself was observed
	seen     journal.State // what was passed to the index already; zero if nothing
	seenAt   int64         // when that was observed
	begun    bool          // its events were let in for it
	late     bool          // the mark told nothing of the directory itself before
	followed bool          // a watch was there before the scan, and nothing was missed
	fresh    bool          // the index has another inode or nothing there: what it has below does not count

	ahead *entered // the directory, if it is read ahead
}

// suspects are paths whose content may have changed although they have the
// fingerprint of the index.
type suspects struct {
	from, until int64           // any that was changed after from and recorded before until, ns since 1970; none when until is 0
	names       map[uint64]hint // names that had an event, by hash, and what it said; nil: any
	events      int64           // when the last of these events was received; 0: none
}

// heaped says whether the scan stands for events of the names in the directory.
func (s *suspects) heaped() bool { return s.events > 0 || s.until > 0 }

// group is the scans that came of one request.
type group struct {
	left  int
	open  bool // more will be pushed
	start time.Duration
	done  func(took time.Duration) // may be nil
	again bool                     // a whole-tree scan was asked for meanwhile
	quiet bool                     // its end is no news
}

// close says that no more is pushed but by the scans themselves.
func (g *group) close(now time.Duration) {
	g.open = false
	g.settle(now)
}

func (g *group) settle(now time.Duration) {
	if g.left == 0 && !g.open && g.done != nil {
		done := g.done
		g.done = nil
		done(now - g.start)
	}
}

// finished says that nothing of the group is left to do.
func (g *group) finished() bool { return g.left == 0 && !g.open }

// scans holds the pending scans. The newest goes first, which makes a walk
// depth-first and keeps few directories pending.
type scans struct {
	stack  []scan
	groups map[*group]struct{}

	walk         *journal.Walk  // of the index, for the scan of the whole tree; may be nil
	full         *group         // the scan of the whole tree under way
	lost         bool           // events may have been lost before it
	fullSuspects suspects       // for the one that follows it
	dirs         uint64         // scanned since it began
	complete     bool           // it ended and that was not reported yet
	heaped       map[string]int // pending scans of a directory that stand for events of its names
	in           string         // the directory being scanned
	within       bool           // there is one
}

func (s *scans) group(done func(time.Duration), now time.Duration) *group {
	g := &group{open: true, start: now, done: done}
	if s.groups == nil {
		s.groups = map[*group]struct{}{}
	}
	s.groups[g] = struct{}{}
	return g
}

func (s *scans) push(sc scan) {
	sc.group.left++
	s.stack = append(s.stack, sc)
	if sc.heaped() {
		if s.heaped == nil {
			s.heaped = map[string]int{}
		}
		s.heaped[sc.rel]++
	}
}

func (s *scans) pop() (scan, bool) {
	if len(s.stack) == 0 {
		return scan{}, false
	}
	sc := s.stack[len(s.stack)-1]
	s.stack[len(s.stack)-1] = scan{}
	s.stack = s.stack[:len(s.stack)-1]
	if sc.heaped() {
		if s.heaped[sc.rel]--; s.heaped[sc.rel] == 0 {
			delete(s.heaped, sc.rel)
		}
	}
	return sc, true
}

// inOrder makes what was pushed since there were so many come in the order in
// which it was pushed: that of the index, which is read fastest so.
func (s *scans) inOrder(before int) {
	if before < len(s.stack) {
		slices.Reverse(s.stack[before:])
	}
}

// finish counts a scan of a group that was popped as done.
func (s *scans) finish(g *group, now time.Duration) {
	g.left--
	g.settle(now)
	for g := range s.groups {
		if g.finished() {
			delete(s.groups, g)
		}
	}
}

// clear forgets all scans.
func (s *scans) clear() { *s = scans{} }

func (s *scans) busy() bool { return len(s.stack) > 0 }

// active returns the groups that are not finished.
func (s *scans) active() []*group {
	var list []*group
	for g := range s.groups {
		if !g.finished() {
			list = append(list, g)
		}
	}
	return list
}
