package journal

import (
	"cmp"
	"slices"
	"time"
)

// A newer entry of a path replaces the older one, and a remote that has not had
// that is behind since then, not since now. Remotes need not have come as far as
// each other: one may have had the version before and another one not for a week.
// So an entry keeps, as hops, which versions it has replaced that somebody has not
// had: each remote belongs to the oldest of those it lacks. Where all lack the same
// one, First says so and nothing else is kept.

// hop is an entry that was replaced, for those remotes that have not had it.
type hop struct {
	seq  uint64
	at   time.Time
	all  bool     // for every remote but names, else for names only
	name []string // sorted
}

// maxHopNames bounds what an entry keeps of names: one that would need more counts
// the others in, who then seem to be behind for longer than they are.
const maxHopNames = 16

// maxHops bounds how many of them an entry keeps: those that are least apart are
// taken for one, and remotes of the newer one seem to be behind for that longer.
const maxHops = 32

func (h *hop) concerns(remote string) bool {
	_, named := slices.BinarySearch(h.name, remote)
	return named != h.all
}

// Since says since when a remote is behind that has not had this entry: the seq and
// the time of the oldest change of the path that it lacks, as far as its
// acknowledgements were durable when the entry came.
func (n *Entry) Since(remote string) (uint64, time.Time) { return n.since(n.replaced(), remote) }

// replaced are the hops of the entry.
func (n *Entry) replaced() []hop {
	if n.hops == "" {
		return nil
	}
	hops, _ := parseHops(n.hops) // they were parsed before
	return hops
}

func (n *Entry) since(hops []hop, remote string) (uint64, time.Time) {
	switch {
	case n.First == n.Seq || n.First == 0: // or not of a journal
		return n.Seq, n.Time
	case n.hops == "":
		return n.First, n.FirstTime
	}
	for i := range hops {
		if hops[i].concerns(remote) {
			return hops[i].seq, hops[i].at
		}
	}
	return n.Seq, n.Time
}

// progress is how far a remote had come when a chunk was begun.
type progress struct {
	name   string
	cursor Cursor
}

// lack is who is behind since an entry.
type lack struct {
	seq  uint64
	at   time.Time
	name []string // sorted
}

// replace makes an entry stand for the one it takes the place of.
func (n *Entry) replace(last Entry, remotes []progress) {
	lacks := lacking(last, remotes)
	if len(lacks) == 0 {
		return
	}
	n.First, n.FirstTime = lacks[0].seq, lacks[0].at
	if len(lacks[0].name) == len(remotes) {
		return // First says it for all
	}
	hops := make([]hop, 0, len(lacks))
	for _, l := range fewer(lacks) {
		hops = append(hops, newHop(l.seq, l.at, l.name, remotes))
	}
	n.hops = formatHops(hops)
}

// lacking tells which remotes have not had an entry that is replaced, by what they
// are behind since, the oldest first.
func lacking(last Entry, remotes []progress) []lack {
	hops := last.replaced()
	lacks := make([]lack, 0, len(hops)+1)
	for _, r := range remotes {
		if r.cursor.Has(last.Seq) {
			continue
		}
		seq, at := last.since(hops, r.name)
		i, found := slices.BinarySearchFunc(lacks, seq, func(l lack, seq uint64) int { return cmp.Compare(l.seq, seq) })
		if !found {
			lacks = slices.Insert(lacks, i, lack{seq: seq, at: at})
		}
		lacks[i].name = append(lacks[i].name, r.name)
	}
	return lacks
}

// fewer takes some of too many for one.
func fewer(lacks []lack) []lack {
	for len(lacks) > maxHops {
		least := 0
		for i := range len(lacks) - 1 {
			if gap(lacks, i) < gap(lacks, least) {
				least = i
			}
		}
		l := &lacks[least]
		l.name = append(l.name, lacks[least+1].name...)
		slices.Sort(l.name)
		lacks = slices.Delete(lacks, least+1, least+2)
	}
	return lacks
}

// gap is how far two neighbours are apart.
func gap(lacks []lack, i int) time.Duration { return lacks[i+1].at.Sub(lacks[i].at) }

// newHop names the remotes that a hop is for, or those that it is not for.
func newHop(seq uint64, at time.Time, names []string, remotes []progress) hop {
	if len(names) <= maxHopNames {
		return hop{seq: seq, at: at, name: names}
	}
	var others []string
	for _, r := range remotes {
		if _, named := slices.BinarySearch(names, r.name); !named {
			others = append(others, r.name)
		}
	}
	if len(others) > maxHopNames {
		others = nil
	}
	return hop{seq: seq, at: at, all: true, name: others}
}

// cursors are those of all remotes, sorted by name.
func (c *chunk) cursors() []progress {
	if c.remotes == nil {
		c.remotes = []progress{}
		for _, r := range c.s.handles() {
			c.remotes = append(c.remotes, progress{r.name, r.Cursor()})
		}
	}
	return c.remotes
}

// formatHops is the stored form, which makes entries comparable.
func formatHops(hops []hop) string {
	e := encoder{}
	e.uint(uint64(len(hops)))
	for _, h := range hops {
		e.uint(h.seq)
		e.time(h.at)
		e.bool(h.all)
		e.uint(uint64(len(h.name)))
		for _, s := range h.name {
			e.string(s)
		}
	}
	return string(e.b)
}

func parseHops(text string) ([]hop, error) {
	d := decoder{b: []byte(text)}
	count := d.uint()
	if count == 0 || count > uint64(len(d.b)) { // each takes some bytes
		d.fail(errRange)
		count = 0
	}
	hops := make([]hop, 0, count)
	for range count {
		h := hop{seq: d.uint(), at: d.time(), all: d.bool()}
		names := d.uint()
		if names > maxHopNames {
			d.fail(errRange)
			names = 0
		}
		for range names {
			h.name = append(h.name, d.string())
		}
		if !slices.IsSorted(h.name) {
			d.fail(errRange)
		}
		hops = append(hops, h)
	}
	return hops, d.end()
}
