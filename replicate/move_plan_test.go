package replicate

import (
	"slices"
	"testing"
	"time"

	"gorsyncd/journal"
)

func TestPlanMove(t *testing.T) {
	tree := fakeTree{
		"": aDir, "q": aDir, "q/s": aDir, "q/f": aFile(1), "q/s/g": aFile(1), "q/huge": aFile(900), "q/sym": {Presence: IsOther},
		"q/l": {Presence: IsFile, Size: 5, Ino: 9, Nlink: 2}, "a": aDir, "a/f": aFile(1), "q/x": aFile(450), "q/y": aFile(450),
		"w": aDir, "w/f": aFile(1), "r": aDir, "r/f": aFile(1),
	}
	q, r := &move{passage: passage{from: "p", to: "q"}}, &move{passage: passage{from: "o/p", to: "r"}}
	for _, c := range []struct {
		name    string
		queue   []*Item
		held    []Lock
		lane    Lane
		paths   []string
		content bool
		opt     func(*planner)
	}{
		{name: "all that was moved", queue: items("q/f", "q/s", "q/s/g"), lane: LaneMove, paths: []string{"q/f", "q/s", "q/s/g"}},
		{name: "nothing else joins", queue: items("q/f", "a/f", "r/f", "q/s"), lane: LaneMove, paths: []string{"q/f", "q/s"}},
		{name: "it joins nothing else", queue: items("a/f", "q/f", "q/s"), lane: LaneList, paths: []string{"a/f"}},
		{name: "the removal waits, others do not", queue: items("-p", "-a/gone"), lane: LaneList, paths: []string{"a/gone"}},
		{name: "what is not gathered waits", queue: items("w/f", "a/f"), lane: LaneList, paths: []string{"a/f"}},
		{name: "what has no content or several names is sent", queue: items("q/sym", "q/l"), lane: LaneList, paths: []string{"q/sym", "q/l"}},
		{name: "a removal below is one", queue: items("-q/gone", "q/f"), lane: LaneList, paths: []string{"q/gone"}},
		{name: "what the journal wants compared", queue: items("q/f", "=q/s/g"), lane: LaneMove, paths: []string{"q/f", "q/s/g"}},
		{name: "once is enough", queue: func() []*Item {
			its := items("q/f", "q/s/g")
			its[0].moved = true
			return its
		}(), lane: LaneList, paths: []string{"q/f"}},
		{name: "too much to be read", queue: items("q/huge", "q/f"), lane: LaneMove, paths: []string{"q/huge"}, content: true},
		{name: "as much as can be read", queue: items("q/x", "q/f", "q/y"), lane: LaneMove, paths: []string{"q/x", "q/f"}},
		{name: "something is under way there", queue: items("q/f", "a/f"), held: []Lock{{ScopeTree, "q/s/other"}}, lane: LaneList, paths: []string{"a/f"}},
		{name: "or at the old path", queue: items("q/f", "a/f"), held: []Lock{{ScopeDir, "p/d"}}, lane: LaneList, paths: []string{"a/f"}},
		{name: "what waits is not overtaken", queue: items("q/f", "q/sym"), held: []Lock{{ScopeDir, "p/d"}}},
		{name: "excluded", queue: items("q/f", "q/s/g"), lane: LaneMove, paths: []string{"q/s/g"},
			opt: func(p *planner) { p.excluded = func(path string, _ bool) bool { return path == "q/f" } }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tree.planner()
			p.limits.moved = 800
			p.moved = func(it *Item) (*move, bool) {
				switch {
				case it.Op == journal.OpRemove:
					return nil, it.Path == q.from
				case it.moved:
					return nil, false
				case isBelow(it.Path, q.to):
					return q, false
				case isBelow(it.Path, r.to):
					return r, false
				}
				return nil, isBelow(it.Path, "w")
			}
			if c.opt != nil {
				c.opt(p)
			}
			var held Locks
			held.AddAll(c.held)
			b := p.next(slices.Values(c.queue), &held, true).batch
			switch {
			case b == nil && c.lane != 0:
				t.Fatal("no batch")
			case b == nil:
				return
			case b.Lane != c.lane || !slices.Equal(b.Paths, c.paths) || b.Content != c.content:
				t.Errorf("%s %q, content %v; want %s %q", b.Lane, b.Paths, b.Content, c.lane, c.paths)
			case b.Lane == LaneMove && b.passage != b.move.passage:
				t.Errorf("a run from %q to %q", b.passage.from, b.passage.to)
			case b.Lane == LaneMove && !slices.Equal(b.Locks, []Lock{{ScopeTree, "q"}, {ScopeTree, "p"}}):
				t.Errorf("locks %v", b.Locks)
			}
		})
	}
}

// A run does not turn to the path that its move is given meanwhile.
func TestMovedOnWhileUnderWay(t *testing.T) {
	tree := fakeTree{"": aDir, "q": aDir, "q/f": aFile(1)}
	m := &move{passage: passage{from: "p", inode: inode{1, 2}, to: "q"}}
	s := &moves{}
	s.add(m)
	s.to["q"] = m
	p := tree.planner()
	p.moved = func(*Item) (*move, bool) { return m, false }
	b := p.next(slices.Values(items("q/f")), &Locks{}, true).batch
	s.spot("r/f", func(dir string) Seen {
		if dir == "r" {
			return Seen{Presence: IsDir, Dev: 1, Ino: 2}
		}
		return Seen{}
	}, time.Time{})
	if m.to != "r" {
		t.Fatalf("the move goes to %q", m.to)
	}
	if got := string(b.list()); got != "./f\x00" {
		t.Errorf("list %q", got)
	}
	if c, _ := b.change(">f+++++++++|f"); c.Path != "q/f" {
		t.Errorf("change of %q", c.Path)
	}
}

func TestMoveArgs(t *testing.T) {
	b := &Batch{Lane: LaneMove, Paths: []string{"new/q", "new/q/f", "new/q/#"}, move: &move{}, passage: passage{from: "old p", to: "new"}}
	if got := string(b.list()); got != "./q\x00./q/f\x00./q/#\x00" {
		t.Errorf("list %q", got)
	}
	if c, ok := b.change(">f+++++++++|q/f"); !ok || c.Path != "new/q/f" {
		t.Errorf("change %+v", c)
	}
	if c, ok := b.change(".d..t......|./"); !ok || c.Path != "new" {
		t.Errorf("change %+v", c)
	}
	for target, want := range map[string]string{"/t": "--link-dest=/t/old p", "h:/t": "--link-dest=/t/old p",
		"h::m": "--link-dest=/old p", "rsync://h/m/sub": "--link-dest=/sub/old p"} {
		o := &Options{}
		var err error
		if o.Target, err = ParseTarget(target); err != nil {
			t.Fatal(err)
		}
		o.setDefaults()
		a := o.argv(b, Send)
		if !slices.Contains(a, want) || !slices.Contains(a, "--checksum") || !slices.Contains(a, "--ignore-existing") || a[len(a)-1] != o.Target.address()+"new/" {
			t.Errorf("%s: %q", target, a)
		}
		if target == "/t" && slices.Contains(o.argv(b, Send, "--confine-root=/x"), want) {
			t.Error("a confined receiver is told to look elsewhere")
		}
		o.Delete = DeleteNone
		if a := o.argv(b, Send); slices.Contains(a, want) || !slices.Contains(a, "--copy"+want[len("--link"):]) {
			t.Errorf("%s, nothing is removed: %q", target, a)
		}
		bad := &passage{from: "p", to: "q[1]*"}
		if o.reaches(bad) != (o.Target.Kind == Local) {
			t.Errorf("%s: a name with wildcards", target)
		}
	}
	if mayLink([]string{"-A", "--inplace"}) || mayLink([]string{"--link-dest=/x"}) || !mayLink([]string{"-AX", "--chmod=go-w"}) {
		t.Error("arguments of the user")
	}
}

// TestKeptRemovalNeedsNoCommit: after a restart the removal may be in the retry set
// already, and nothing else be there to be written.
func TestKeptRemovalNeedsNoCommit(t *testing.T) {
	d := loaded(t)
	now := time.Now()
	d.retries.put(journal.Retry{Path: "old", Seq: 1, Op: journal.OpRemove})
	m := &move{passage: passage{from: "old", to: "new"}, fenced: true}
	if d.readyMove(m, now) {
		t.Error("ready before the removal is kept")
	}
	if d.update.dirty() {
		t.Fatal("there is something to be written")
	}
	d.keepMoved(m, now)
	if !d.readyMove(m, now) {
		t.Error("it waits for a commit that nobody makes")
	}
	d.update.cursor = true
	d.keepMoved(m, now)
	if d.readyMove(m, now) {
		t.Error("it does not wait for a commit that is to come")
	}
}
