package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"gorsyncd/journal"
)

// journaled makes a rig record in a journal in place of the fake index.
func (r *rig) journaled() {
	j, err := journal.Open(journal.Options{Dir: filepath.Join(r.t.TempDir(), "journal")})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { j.Close() }) // after the tree has stopped
	src, err := j.Source("s")
	if err != nil {
		r.t.Fatal(err)
	}
	r.o.Index, r.o.Roots = src, src
	r.live = func() map[string]journal.Record {
		all := map[string]journal.Record{}
		var visit func(dir string)
		visit = func(dir string) {
			var dirs []string
			err := src.Children(dir, func(name string, rec journal.Record, trusted bool) error {
				if trusted {
					all[join(dir, name)] = rec
				}
				if trusted && rec.Type == journal.Dir {
					dirs = append(dirs, join(dir, name))
				}
				return nil
			})
			if err != nil {
				r.t.Error(err)
			}
			for _, d := range dirs {
				visit(d)
			}
		}
		if rec, ok, err := src.Lookup(""); ok && err == nil {
			all[""] = rec
		}
		visit("")
		return all
	}
}

// aheadChanges are made after p/d5, with the files f and g and the directory s
// with a file h, was read ahead, and before that is used.
var aheadChanges = map[string]string{
	"nothing":                   `:`,
	"a file is written":         `echo more >>p/d5/f`,
	"written and put back":      `touch -r p/d5/f /tmp/$$; echo F >p/d5/f; touch -r /tmp/$$ p/d5/f; rm /tmp/$$`,
	"a file appears":            `echo 1 >p/d5/a; echo 1 >p/d5/z`,
	"a file goes":               `rm p/d5/f`,
	"a file becomes a dir":      `rm p/d5/f; mkdir p/d5/f; echo 1 >p/d5/f/x`,
	"a dir becomes a file":      `rm -r p/d5/s; echo 1 >p/d5/s`,
	"a dir below moves":         `mv p/d5/s p/d5/t`,
	"it gets another mode":      `chmod 700 p/d5`,
	"it moves":                  `mv p/d5 p/e`,
	"it moves up":               `mv p/d5 a`,
	"it moves down":             `mv p/d5 p/d6/s`,
	"it moves and comes back":   `mv p/d5 q; echo 1 >q/y; mv q p/d5`,
	"it goes":                   `rm -r p/d5`,
	"another one is in place":   `mv p/d5 p/e; mkdir p/d5; echo 1 >p/d5/y`,
	"two change places":         `mv p/d5 q; mv p/d6 p/d5; mv q p/d6`,
	"it becomes a file":         `rm -r p/d5; echo 1 >p/d5`,
	"its parent moves":          `mv p q`,
	"its parent is another one": `mv p q; mkdir -p p/d5; echo 1 >p/d5/y`,
	"its parent comes back":     `mv p q; mkdir -p p/d5; rm -r p; mv q p; echo 1 >p/d5/y`,
	"all goes but one":          `rm -r p; echo 1 >x`,
	"a link to a file is made":  `ln p/d5/f p/d2/l; echo 2 >>p/d2/l`,
}

// TestChangedAfterReadAhead changes what was read ahead of its scan. The events
// are either looked at before the scan goes on, or wait.
func TestChangedAfterReadAhead(t *testing.T) { onBoth(t, testChangedAfterReadAhead) }

func testChangedAfterReadAhead(t *testing.T) {
	for _, again := range []bool{false, true} {
		for _, looked := range []bool{false, true} {
			for _, real := range []bool{false, true} {
				for name, script := range aheadChanges {
					t.Run(fmt.Sprintf("again=%v/looked=%v/journal=%v/%s", again, looked, real, name), func(t *testing.T) {
						t.Parallel()
						r := newRig(t)
						if real {
							r.journaled()
						}
						r.sh(`mkdir p; for i in 0 1 2 3 4 5 6 7 8 9; do mkdir -p p/d$i/s; echo f >p/d$i/f; echo g >p/d$i/g; echo h >p/d$i/s/h; done`)
						if again {
							r.start()
							r.waitReady()
							r.settled()
							if err := r.stop(); err == nil {
								t.Fatal("it ended by itself")
							}
						}
						changed := 0
						r.prepare = func(tr *Tree) { r.changeAhead(tr, &changed, script, looked) }
						r.start()
						r.waitReady()
						r.settled()
						if changed != 1 {
							t.Errorf("changed %d times after it was read ahead", changed)
						}
					})
				}
			}
		}
	}
}

// changeAhead runs the script when p/d5 was read ahead and is about to be used.
func (r *rig) changeAhead(tr *Tree, changed *int, script string, looked bool) {
	tr.onScan = func(sc *scan) {
		if sc.rel != "p/d5" || *changed > 0 || !sc.listing() {
			return
		}
		*changed++
		sc.ahead.listing.finish()
		r.sh(script)
		if !looked {
			return
		}
		// All events that are received while this waits are looked at now.
		for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if err := tr.takeEvents(); err != nil {
				r.t.Error(err)
			}
			if _, err := tr.looks(r.t.Context()); err != nil {
				r.t.Error(err)
			}
		}
	}
}

// TestReadAheadGivesUp: a directory with more names than there is room for is
// looked at in its turn, and those beside it are read all the same.
func TestReadAheadGivesUp(t *testing.T) { onBoth(t, testReadAheadGivesUp) }

func testReadAheadGivesUp(t *testing.T) {
	r := newRig(t)
	r.prepare = func(tr *Tree) {
		tr.onScan = func(sc *scan) { tr.ahead.names.Add(aheadNames) }
	}
	r.sh(`for i in 1 2 3 4 5; do mkdir -p $i; for j in 1 2 3; do echo >$i/$j; done; done`)
	r.start()
	r.waitReady()
	r.settled()
}

// TestReadAheadKeepsNothingOpen: whatever becomes of what was handed out, all is
// closed in the end.
func TestReadAheadKeepsNothingOpen(t *testing.T) {
	r := newRig(t)
	tr, err := New(r.o)
	if err != nil {
		t.Fatal(err)
	}
	r.sh(`mkdir a b c d e f g`)
	h, err := openRoot(r.root)
	if err != nil {
		t.Fatal(err)
	}
	root := shared(h)
	tr.ahead = readAhead{tasks: newTasks(), of: map[string]*entered{}, names: new(atomic.Int64)}
	in := func() (n int) {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range list {
			if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); to == r.root || filepath.Dir(to) == r.root {
				n++
			}
		}
		return n
	}
	scans := map[string]*scan{}
	for _, rel := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		scans[rel] = &scan{rel: rel}
		tr.handOut(root, scans[rel])
	}
	root.release()
	open := func(rel string) *entered {
		e := scans[rel].ahead
		e.opening.finish()
		return e
	}
	list := func(rel string) *entered {
		e := open(rel)
		e.node = &node{}
		tr.ahead.tasks.push(e.listing.set(e.read, func() { e.room.Add(-e.taken) }))
		return e
	}
	scans["a"].ahead.forget()  // before it was opened
	open("b").forget()         // before it was let in
	list("c").forget()         // before it was listed
	list("d").listing.finish() // never used
	scans["e"].ahead.opening.run()
	if n := in(); n == 0 {
		t.Error("nothing is open: this test tests nothing")
	}
	tr.ahead.letGo() // what is not to be listed is not needed while the journal is written
	if n := in(); n > 0 {
		t.Errorf("%d handles are open", n)
	}
	if tr.ahead.of["d"] == nil {
		t.Error("what was listed is not kept")
	}
	tr.ahead.clear()
	if n := tr.ahead.names.Load(); n != 0 {
		t.Errorf("room for %d names is not given back", n)
	}
}
