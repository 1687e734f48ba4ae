package watch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRootGuards hurts the root of a watched tree and puts it right again.
func TestRootGuards(t *testing.T) { onBoth(t, testRootGuards) }

func testRootGuards(t *testing.T) {
	for _, c := range []struct{ name, hurt, held, heal string }{
		{"removed", `mv root away`, "missing", `mv away root`},
		{"replaced by a file", `mv root away; echo 1 > root`, "not a directory", `rm root; mv away root`},
		{"emptied", `rm -r root/*`, "empty", `echo 1 > root/f; mkdir root/d; echo 1 > root/d/g`},
		{"another directory", `mv root away; mkdir root; echo 1 > root/other`, "another directory", `rm -r root; mv away root`},
		{"another empty directory", `mv root away; mkdir root`, "empty", `rmdir root; mv away root`},
	} {
		for _, when := range []string{"running", "down"} {
			t.Run(c.name+" while "+when, func(t *testing.T) {
				t.Parallel()
				r := startTree(t, func(r *rig) { r.sh(`echo 1 > f; mkdir d; echo 1 > d/g`) })
				r.settled()
				before := r.idx.Head()
				if when == "down" {
					r.stop()
				}
				runIn(t, filepath.Dir(r.root), c.hurt)
				if when == "down" {
					r.start()
				}
				r.waitHeld(c.held)
				if n := len(r.idx.removals(before)); n > 1 || n == 1 && c.name != "emptied" {
					t.Fatalf("journaled as removed: %q", r.idx.removals(before))
				}
				runIn(t, filepath.Dir(r.root), c.heal)
				r.waitState(StateWatching)
				r.settled()
				r.sh(`echo 2 >> d/g`)
				r.settled()
			})
		}
	}
}

func TestApproveRoot(t *testing.T) { onBoth(t, testApproveRoot) }

func testApproveRoot(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`echo 1 > f; mkdir d; echo 1 > d/g`) })
	r.sh(`rm -r f d`)
	r.waitHeld("empty")
	if _, err := r.tree.Fence(t.Context()); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("fence of a held source: %v", err)
	}
	r.tree.Approve()
	r.waitState(StateWatching)
	r.settled()
	r.sh(`echo 1 > new`)
	r.settled()
	r.sh(`rm new`)
	r.waitHeld("empty")
	runIn(t, filepath.Dir(r.root), `mv root away; mkdir root; echo x > root/x`)
	r.waitHeld("another directory")
	r.tree.Approve()
	r.waitState(StateWatching)
	r.settled()
}

func TestRootMissingAtStart(t *testing.T) { onBoth(t, testRootMissingAtStart) }

func testRootMissingAtStart(t *testing.T) {
	r := newRig(t)
	if err := os.Remove(r.root); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.waitHeld("missing")
	if err := os.Mkdir(r.root, 0o755); err != nil {
		t.Fatal(err)
	}
	r.waitReady()
	r.sh(`echo 1 > f`)
	r.settled()
}
