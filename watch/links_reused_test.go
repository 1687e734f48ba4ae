package watch

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLinkOfAReusedInode: the other name of a file was searched for in vain, as it
// is outside of the tree; then the file is gone and another one has its inode
// number. A second name of that one is found.
func TestLinkOfAReusedInode(t *testing.T) { onBoth(t, testLinkOfAReusedInode) }

func testLinkOfAReusedInode(t *testing.T) {
	outside := t.TempDir()
	r := startTree(t, func(r *rig) { r.sh(`mkdir d e; echo 0 >keep`) })
	ino := func(name string) uint64 {
		var st unix.Stat_t
		r.do(unix.Stat(r.path(name), &st))
		return st.Ino
	}
	reused := 0
	for i := 0; i < 300 && reused < 3; i++ { // others take numbers, too
		r.sh(`echo x >d/f`)
		r.do(os.Link(r.path("d/f"), outside+"/f"))
		r.do(os.Chmod(r.path("d/f"), 0o600))
		r.settled()
		r.fence() // with a scan of the whole tree
		r.settled()
		before := ino("d/f")
		r.do(os.Remove(outside + "/f"))
		r.do(os.Remove(r.path("d/f")))
		name := fmt.Sprintf("d/g%d", i)
		r.do(os.WriteFile(r.path(name), []byte("another"), 0o644))
		r.settled()
		if ino(name) == before {
			reused++
		}
		r.do(os.Link(r.path(name), r.path(fmt.Sprintf("e/h%d", i))))
		r.settled()
	}
	if reused == 0 {
		t.Error("no inode number was used again: this tests nothing")
	}
}
