package sink

import (
	"strings"

	"gorsyncd/journal"
)

// standing tells how far an event has come at the remotes that are waited for.
type standing int

const (
	ready   standing = iota
	behind           // a remote has not come to it
	failing          // it is in the retry set of a remote
)

// gates are the remotes as they were at one moment.
type gates []gate

type gate struct {
	Remote
	cursor journal.Cursor
	blind  bool // its cursor says nothing
}

func (o *Options) look() gates {
	g := make(gates, 0, len(o.Gates))
	for _, r := range o.Gates {
		// The full sync first: one that ends in between leaves a cursor that counts.
		blind := makesGood(r.FullSync())
		g = append(g, gate{r, r.Cursor(), blind})
	}
	return g
}

// plainReasons begin the reasons of full syncs that were only asked for: what the
// cursor has passed was sent all the same.
var plainReasons = []string{"schedule ", "requested", "full_sync.on_start"}

// makesGood tells whether a full sync stands for entries that the cursor has passed
// without their being sent.
func makesGood(f *journal.FullSync) bool {
	if f == nil {
		return false
	}
	for _, r := range plainReasons {
		if strings.HasPrefix(f.Reason, r) {
			return false
		}
	}
	return true
}

// blocker is the name of a remote that lets nothing through, "" for none.
func (g gates) blocker() string {
	for i := range g {
		if g[i].blind {
			return g[i].Name()
		}
	}
	return ""
}

// standing of an entry. It may ask the journal.
func (g gates) standing(seq uint64, path string) (standing, string, error) {
	for i := range g {
		if g[i].blind || !g[i].cursor.Has(seq) {
			return behind, g[i].Name(), nil
		}
	}
	for i := range g {
		switch yes, err := g[i].Failing(path); {
		case err != nil:
			return behind, "", err
		case yes:
			return failing, g[i].Name(), nil
		}
	}
	return ready, "", nil
}
