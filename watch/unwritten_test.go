package watch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gorsyncd/journal"
)

// quietWrite changes the content of a file, and nothing that stays visible.
const quietWrite = `w() { t=$(stat -c %y "$1"); echo 9 > "$1"; touch -d "$t" "$1"; }
`

// TestQuietWrite: a write whose mtime is put back is found behind a chmod and
// behind another link count, and those alone cause no comparison of content.
func TestQuietWrite(t *testing.T) { onBoth(t, testQuietWrite) }

func testQuietWrite(t *testing.T) {
	for _, c := range []struct {
		script string // parts are separated by a fence
		names  string // of which one is compared by content; "" for none at all
	}{
		{`w d/g; chmod 600 d/g`, "d/g"},
		{`chmod 600 d/g; w d/g`, "d/g"},
		{`w d/g; ln d/g d/h`, "d/g"},
		{`ln d/g d/h; w d/h`, "d/g"},
		{`ln d/g d/h; w d/h; rm d/h`, "d/g"},
		{`ln d/g d/h; w d/h; echo new > n; mv n d/h; chmod 600 d/g`, "d/g"},
		{`w e/l; chmod 600 d/f`, "d/f e/l"},
		{`w e/l; ln d/f d/h`, "d/f e/l d/h"},
		{`w e/l; rm e/l`, "d/f"},
		{`w e/l; rm -r e`, "d/f"},
		{`w e/l; mv d/g e/l`, "d/f"},
		{`w e/l; rm e/l; chmod 600 d/f`, "d/f"},
		{`w d/g|chmod 600 d/g`, "d/g"},
		{`chmod 600 d/g|w d/g`, "d/g"},
		{`w many/7; chmod 600 many/*`, "many/7"},
		{`chmod 600 d/g`, ""},
		{`chown 1:2 d/g d/f`, ""},
		{`ln d/g d/h`, ""},
		{`ln d/g h; ln h e/h`, ""},
		{`rm e/l`, ""},
		{`rm -r e`, ""},
		{`cp -al d x|rm -r x`, ""},
		{`chmod -R g+w .`, ""},
	} {
		for _, settle := range []time.Duration{DefaultSettle, 300 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s settle=%v", c.script, settle), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				r.o.Settle = settle
				r.sh(`mkdir d e many; echo 1 > d/f; ln d/f e/l; echo 2 > d/g; for i in {1..600}; do echo $i > many/$i; done
					find . -type f -exec touch -d '1 hour ago' {} +`)
				time.Sleep(2 * confirmAfter)
				r.start()
				r.waitReady()
				r.settled()
				compared := r.compares(func() {
					for part := range strings.SplitSeq(c.script, "|") {
						r.sh(quietWrite + part)
						r.fence()
						r.fence()
					}
				})
				switch {
				case c.names == "" && len(compared) > 0:
					t.Errorf("compared by content: %v", compared)
				case c.names != "" && len(compared) == 0:
					t.Error("nothing is compared by content")
				case len(compared) > 4: // names of one file, and files beside it
					t.Errorf("too much is compared by content: %v", compared)
				}
				found := c.names == ""
				for _, n := range strings.Fields(c.names) {
					found = found || compared[n]
				}
				if !found {
					t.Errorf("of %q is compared by content: %v", c.names, compared)
				}
			})
		}
	}
}

// TestQuietWriteWhileStopped: nobody was there to receive the events.
func TestQuietWriteWhileStopped(t *testing.T) { onBoth(t, testQuietWriteWhileStopped) }

func testQuietWriteWhileStopped(t *testing.T) {
	r := newRig(t)
	r.sh(`mkdir d e; echo 1 > d/f; echo 2 > d/g; echo 3 > d/h; ln d/h e/l; find . -type f -exec touch -d '1 hour ago' {} +`)
	time.Sleep(2 * confirmAfter)
	r.start()
	r.waitReady()
	r.settled()
	r.stop()
	compared := r.compares(func() {
		r.sh(quietWrite + `w d/f; chmod 600 d/f; w d/g; ln d/g e/g; w e/l; rm e/l`)
		r.start()
		r.waitReady()
		r.fence()
	})
	for _, n := range []string{"d/f", "d/g", "d/h"} {
		if !compared[n] {
			t.Errorf("%s is not compared by content: %v", n, compared)
		}
	}
}

// compares returns the paths whose content the remotes are to compare after do.
func (r *rig) compares(do func()) map[string]bool {
	r.t.Helper()
	r.idx.mu.Lock()
	before := len(r.idx.log)
	r.idx.mu.Unlock()
	do()
	r.idx.mu.Lock()
	defer r.idx.mu.Unlock()
	paths := map[string]bool{}
	for _, e := range r.idx.log[before:] {
		if e.Flags&journal.FlagChecksum != 0 {
			paths[e.Path] = true
		}
	}
	return paths
}
