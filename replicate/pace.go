package replicate

import (
	"time"

	"gorsyncd/journal"
)

// The limits of a chunk: small ones cost a process and some round trips each,
// large ones are long under way while changes of their directories wait.
var (
	smallestChunk = journal.Weight{Dirs: chunkDirs, Files: 1000, Bytes: 16 << 20}
	firstChunk    = journal.Weight{Dirs: 1000, Files: 10_000, Bytes: 64 << 20}
	largestChunk  = journal.Weight{Dirs: 5000, Files: 50_000, Bytes: 256 << 20}
)

// A chunk is to take chunkTimes as long as a run that has next to nothing to do,
// within these limits.
const (
	chunkTimes   = 10
	shortestTime = time.Second
	longestTime  = 15 * time.Second
)

// pace makes chunks so large that most of their time is work, not round trips, and
// so many that each of the workers has as much to do as the others.
type pace struct {
	workers  int
	most     journal.Weight // how large one may be, as experience has it
	limit    journal.Weight // how large they are made
	left     journal.Weight // what is in none yet
	quickest time.Duration  // of all runs; 0 before the first
}

// newPace is for so many workers. quickest is what a run is known to take at least,
// 0 for not known.
func newPace(workers int, todo journal.Weight, quickest time.Duration) pace {
	p := pace{workers: max(1, workers), most: firstChunk, left: todo, quickest: quickest}
	p.share()
	return p
}

// share gives each worker as many chunks as the others, and no more than needed.
func (p *pace) share() {
	parts := p.rounds() * uint64(p.workers)
	p.limit = journal.Weight{
		Dirs:  max(over(p.left.Dirs, parts), smallestChunk.Dirs),
		Files: max(over(p.left.Files, parts), smallestChunk.Files),
		Bytes: max(int64(over(uint64(p.left.Bytes), parts)), smallestChunk.Bytes),
	}
}

// rounds is how many chunks each worker gets. With two of them the last to end
// keeps the others waiting for half as long, and after a crash less is compared
// again; that has to be worth the round trips of a run.
func (p *pace) rounds() uint64 {
	w := uint64(p.workers)
	n := max(1, over(p.left.Dirs, p.most.Dirs*w), over(p.left.Files, p.most.Files*w), over(uint64(p.left.Bytes), uint64(p.most.Bytes)*w))
	if n == 1 && p.work()/time.Duration(2*w) > p.quickest {
		return 2
	}
	return n
}

// work is about what one worker would need for all that is left, on a good link.
func (p *pace) work() time.Duration {
	const names, bytes = 5000, 20 << 20 // each second
	return time.Duration(p.left.Dirs+p.left.Files)*time.Second/names + time.Duration(p.left.Bytes/bytes)*time.Second
}

// over divides and rounds up.
func over(n, by uint64) uint64 { return (n + by - 1) / by }

// taken notes what a chunk was made of.
func (p *pace) taken(w journal.Weight) { p.left = p.left.Sub(w) }

// ran learns from a run how large the next ones are to be. Those that were a good
// deal smaller than allowed tell only how long one takes at least.
func (p *pace) ran(w journal.Weight, took time.Duration) {
	if p.quickest == 0 || took < p.quickest {
		p.quickest = took
	}
	aim := min(max(chunkTimes*p.quickest, shortestTime), longestTime)
	before := p.limit
	switch {
	case 2*w.Dirs < before.Dirs && 2*w.Files < before.Files && 2*w.Bytes < before.Bytes:
	case took <= aim/2:
		p.most = bounded(journal.Weight{Dirs: 2 * p.most.Dirs, Files: 2 * p.most.Files, Bytes: 2 * p.most.Bytes})
		p.share()
		// What is left is less by now, and was shared out already.
		p.limit = journal.Weight{Dirs: max(before.Dirs, p.limit.Dirs), Files: max(before.Files, p.limit.Files), Bytes: max(before.Bytes, p.limit.Bytes)}
	case took >= 2*aim:
		p.most = bounded(journal.Weight{Dirs: p.most.Dirs / 2, Files: p.most.Files / 2, Bytes: p.most.Bytes / 2})
		p.share()
	}
}

func bounded(w journal.Weight) journal.Weight {
	return journal.Weight{
		Dirs:  min(max(w.Dirs, smallestChunk.Dirs), largestChunk.Dirs),
		Files: min(max(w.Files, smallestChunk.Files), largestChunk.Files),
		Bytes: min(max(w.Bytes, smallestChunk.Bytes), largestChunk.Bytes),
	}
}
