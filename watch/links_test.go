package watch

import (
	"testing"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// TestStaleNameIsNoName: a directory with one name of a file was moved, and the
// index knows its new place before it knows that the old one is gone. The file
// has two names and the index has two paths of it, but the second name is
// another one and must be searched for.
func TestStaleNameIsNoName(t *testing.T) { onBoth(t, testStaleNameIsNoName) }

func testStaleNameIsNoName(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`mkdir d new; echo 1 > d/f; ln d/f new/l; ln -s new old`) })
	r.settled()
	r.stop()
	var st unix.Stat_t
	if err := unix.Lstat(r.path("d/f"), &st); err != nil {
		t.Fatal(err)
	}
	s := stateOf(&st, r.tree.rootKey.dev)
	r.idx.mu.Lock()
	unseen := r.idx.recs["d/f"]
	unseen.Nlink = 1 // the link was made later, and caused no event here
	r.idx.recs["d/f"] = unseen
	// The directory was moved from old to new, where now is a link to it.
	stale := r.idx.recs["new"]
	r.idx.recs["old"] = stale
	r.idx.recs["old/l"] = r.idx.recs["new/l"]
	r.idx.mu.Unlock()
	if paths, _ := r.idx.Siblings(s.Dev, s.Ino); len(paths) != 2 {
		t.Fatalf("the index has %q", paths)
	}
	clear(r.tree.links)
	if err := r.tree.siblings(journal.Observation{Path: "new/l", State: s}, 0, 0); err != nil {
		t.Fatal(err)
	}
	if r.tree.links[fileKey{s.Dev, s.Ino}] != 2 {
		t.Error("the other name is not searched for")
	}
}

// TestLinkBehindAScan: a scan of the whole tree has passed the place of a file
// when a second name of it is made, and comes to that name later.
func TestLinkBehindAScan(t *testing.T) { onBoth(t, testLinkBehindAScan) }

func testLinkBehindAScan(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`mkdir d e; echo 1 > d/f`) })
	r.settled()
	r.stop()
	r.sh(`ln d/f e/l`)
	var st unix.Stat_t
	if err := unix.Lstat(r.path("e/l"), &st); err != nil {
		t.Fatal(err)
	}
	tr := r.tree
	g := tr.scans.group(nil, 0)
	tr.scans.full = g
	var f found
	f.add(journal.Observation{Path: "e/l", State: stateOf(&st, tr.rootKey.dev), At: st.Ctim.Nano()}, foundFrom{sc: &scan{rel: "e", group: g}, descended: true})
	if err := tr.passFound(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	if err := tr.lookAtLate(); err != nil {
		t.Fatal(err)
	}
	if tr.links[fileKey{uint64(0), st.Ino}] != 2 {
		t.Errorf("the name that was passed is not searched for: %v", tr.links)
	}
}

// TestLinkSeenWithoutAHint: a look that nobody but another name asked for finds
// a file that has become a link; its event comes later and says nothing new.
func TestLinkSeenWithoutAHint(t *testing.T) { onBoth(t, testLinkSeenWithoutAHint) }

func testLinkSeenWithoutAHint(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`mkdir d e; echo 1 > d/f; echo 2 > e/l`) })
	r.settled()
	r.stop()
	r.sh(`ln -f d/f e/l`)
	tr := r.tree
	if err := tr.lookAt(t.Context(), []look{{path: "e/l"}}); err != nil {
		t.Fatal(err)
	}
	if len(tr.links) != 1 {
		t.Errorf("the other name is not searched for: %v", tr.links)
	}
}

// TestLinkedBetweenListingAndLook: a suspect file gets a second name, which is
// no event for the first, after it was listed as unchanged.
func TestLinkedBetweenListingAndLook(t *testing.T) { onBoth(t, testLinkedBetweenListingAndLook) }

func testLinkedBetweenListingAndLook(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`mkdir d e; echo 1 > d/f`) })
	r.settled()
	r.stop()
	was := r.idx.live()["d/f"].State
	r.sh(`ln d/f e/l`)
	tr := r.tree
	root, err := tr.openAccepted()
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()
	dir, err := root.open("d")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	l := &lister{t: tr, sc: scan{rel: "d", group: tr.scans.group(nil, 0)}, root: root, dir: dir}
	l.observe(todo{name: "f", force: true, was: was})
	if len(tr.found.obs) != 1 || tr.found.obs[0].Suspect != 0 {
		t.Errorf("%+v", tr.found.obs)
	}
	tr.found.clear()
	var st unix.Stat_t
	if err := unix.Lstat(r.path("d/f"), &st); err != nil {
		t.Fatal(err)
	}
	l.observe(todo{name: "f", force: true, was: stateOf(&st, tr.rootKey.dev)})
	if len(tr.found.obs) != 1 || tr.found.obs[0].Suspect == 0 {
		t.Errorf("unchanged: %+v", tr.found.obs)
	}
}

// TestLinkInAFirstScan: what the first scan finds has no seq; a link that it
// finds in a directory that a look has led to has another name all the same.
func TestLinkInAFirstScan(t *testing.T) { onBoth(t, testLinkInAFirstScan) }

func testLinkInAFirstScan(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`mkdir d e; echo 1 > d/f`) })
	r.settled()
	r.stop()
	r.sh(`ln d/f e/l`)
	var st unix.Stat_t
	if err := unix.Lstat(r.path("e/l"), &st); err != nil {
		t.Fatal(err)
	}
	tr := r.tree
	r.idx.mu.Lock()
	r.idx.baseline = true
	r.idx.mu.Unlock()
	tr.scans.full = tr.scans.group(nil, 0)
	var f found
	sc := scan{rel: "e", group: tr.scans.group(nil, 0)} // not the whole tree's
	f.add(journal.Observation{Path: "e/l", State: stateOf(&st, tr.rootKey.dev), At: st.Ctim.Nano()}, foundFrom{sc: &sc, descended: true})
	if err := tr.passFound(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	if len(tr.links) != 1 {
		t.Errorf("the other name is not searched for: %v", tr.links)
	}
}
