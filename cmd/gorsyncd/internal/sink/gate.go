package sink

import (
	"gorsyncd/journal"
	"gorsyncd/replicate"
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
	full   [2]*journal.FullSync // before and after the cursor was read
	cursor journal.Cursor
}

func (o *Options) look() gates {
	g := make(gates, 0, len(o.Gates))
	for _, r := range o.Gates {
		x := gate{Remote: r}
		// One that begins moves the cursor; one that ends in between leaves a cursor
		// that counts.
		x.full[0] = r.FullSync()
		x.cursor = r.Cursor()
		x.full[1] = r.FullSync()
		g = append(g, x)
	}
	return g
}

// blind tells whether the cursor says nothing of a path.
func (x *gate) blind(path string) bool {
	return replicate.MakesGood(x.full[0], path) || replicate.MakesGood(x.full[1], path)
}

// lacks is the name of a remote that has not come to a seq, or needs a full sync that
// makes good for what it was not sent; "" for none.
func (g gates) lacks(seq uint64) string {
	for i := range g {
		if g[i].cursor.Low < seq || g[i].blind("") || g[i].full[1] != nil && g[i].blind(g[i].full[1].Sub) {
			return g[i].Name()
		}
	}
	return ""
}

// standing of an entry. It may ask the journal.
func (g gates) standing(seq uint64, path string) (standing, string, error) {
	for i := range g {
		if g[i].blind(path) || !g[i].cursor.Has(seq) {
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

// overtaken tells whether the journal knows a newer state of a path than an entry does:
// what the remotes have is of that one then, or is not there yet, and its own entry is
// still to be read.
func (o *Options) overtaken(e journal.Entry) (bool, error) {
	if len(o.Gates) == 0 {
		return false, nil
	}
	rec, known, err := o.Feed.Lookup(e.Path)
	if err != nil {
		return false, err
	}
	if e.Op == journal.OpRemove {
		return known && rec.LastSeq > e.Seq, nil
	}
	return !known || rec.LastSeq > e.Seq, nil
}
