package replicate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"gorsyncd/journal"
)

// smallSize is the size up to which a file that finds no space means that the
// remote has none at all.
const smallSize = 1 << 20

// partial files a batch of which a part arrived.
func (d *Dispatcher) partial(rep report, now time.Time) {
	b, out := rep.batch, rep.res.Outcome
	if out.ID == "" {
		out = Outcome{ID: idChanged, Class: ClassEntry, Message: "changed while it was sent"}
	}
	res := d.residual(rep)
	aborted := out.ID == "E-NOSPACE" || rep.res.Exit == 11
	if aborted && len(res.items) > 0 && d.squeeze(rep, res, now) {
		// Stamps and links that what has arrived needs, and nobody else sends.
		d.failOthers(rep, res, out, now)
		return
	}
	if aborted && b.chunk != nil && len(res.other) > 0 && !b.chunk.noSpace {
		b.chunk.noSpace = true
		d.giveBack(b)
		d.fail(now, b.Started, out, rep.res.Exit)
		return
	}
	if !aborted || len(res.items) < len(b.Items) {
		d.recovered(now)
	}
	if b.maxDelete > 0 && slices.ContainsFunc(res.other, func(c Change) bool { return c.Delete }) {
		// A retry record would remove the path past the guard.
		d.chunkFailed(b, out, now)
		return
	}
	paths := make(map[string]bool, len(res.items))
	for _, it := range res.items {
		paths[it.Path] = true
	}
	d.arrived(rep, paths, true, now)
	d.tellFailed(rep, res, out)
	for _, it := range res.items {
		d.failItem(it, reasonFor(it.Path, rep.res.Stderr, out), b.Retry, now)
	}
	d.failOthers(rep, res, out, now)
}

// failOthers has what a run touched without being asked to sent again.
func (d *Dispatcher) failOthers(rep report, res residual, out Outcome, now time.Time) {
	for _, c := range res.other {
		d.failPath(d.unasked(c), reasonFor(c.Path, rep.res.Stderr, out), time.Time{}, now)
	}
}

// unasked is the record of a path that a run touched without being asked to. It
// says what the run saw; what the journal has said of the path since then is
// newer, whatever has been read meanwhile: taken for a change, a removal that
// waits in the retry set would be forgotten.
func (d *Dispatcher) unasked(c Change) journal.Retry {
	if e := d.retries.get(c.Path); e != nil {
		return journal.Retry{Path: c.Path, Seq: e.Seq, Op: e.Op}
	}
	rec := d.newRetry(c.Path)
	if c.Delete {
		rec.Op = journal.OpRemove
	}
	return rec
}

// proves tells whether what a verify pass does not print is on the remote. One
// that failed has not looked at everything, unless all it complains about is
// what it has found: directories in the way, which it would not remove, and, of
// covered removals, paths below what is no directory any more.
func (v *Result) proves(covered bool) bool {
	if v.Outcome.Class != ClassEntry || v.Exit != 23 {
		return v.Outcome.Class == ClassOK
	}
	told := false
	for line := range strings.Lines(v.Stderr) {
		switch {
		case strings.HasPrefix(line, inTheWayText):
			told = true
		case covered && strings.Contains(line, "[sender] link_stat ") &&
			(strings.HasSuffix(line, "failed: Not a directory (20)\n") || strings.HasSuffix(line, " failed"+symlinkText+"\n")):
			told = true
		case covered && strings.HasPrefix(line, "refusing to follow a symlink owned by an untrusted user"):
			// rsync 3.5.0 says so besides.
		case covered && (strings.HasPrefix(line, "file has vanished: ") || strings.HasPrefix(line, "WARNING: parent dir is absent in the file list: ")):
			// Alone they end with exit 24, which proves as much: see Classify.
		case strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "rsync error: some files/attrs were not transferred"):
			return false
		}
	}
	return told
}

// unproven files a batch of which nothing is known: the verify pass failed,
// too, and what it did not look at is missing from what it prints. The paths
// go on in the retry set, where batches get smaller until it shows which of
// them it is; directories of a full sync do the same in smaller chunks.
func (d *Dispatcher) unproven(rep report, now time.Time) {
	b, out := rep.batch, rep.res.Outcome
	if out.Class == ClassOK {
		out = rep.verify.Outcome
	}
	d.recovered(now)
	for _, dir := range slices.Concat(b.Restamp, b.Within) {
		d.restamp(dir, now)
	}
	if b.chunk != nil {
		d.chunkFailed(b, out, now)
		return
	}
	if n := len(b.Items); n > 1 {
		d.maxRetry = max(1, min(d.maxRetry, n/2))
		if b.Retry {
			d.handBack(b, b.Items)
			return
		}
		for _, it := range b.Items {
			d.sideline(it, now)
		}
		return
	}
	for _, it := range b.Items {
		d.failItem(it, reasonFor(it.Path, rep.res.Stderr, out), b.Retry, now)
		if e := d.retries.get(it.Path); e != nil {
			// It would fail each batch it is in.
			e.item.alone = true
		}
	}
}

// sideline moves an item to the retry set without blaming it for anything.
func (d *Dispatcher) sideline(it *Item, now time.Time) {
	if d.leave(it) {
		return
	}
	rec := d.gather(journal.Retry{Path: it.Path, Seq: it.Seq, Op: it.Op, Flags: it.Flags}, now)
	rec.Next = now
	d.keepRetry(rec)
}

// tellFailed logs one line for the failed paths of a batch that fail for the
// first time, however many they are; the debug log has each. What only changed
// meanwhile is none of them.
func (d *Dispatcher) tellFailed(rep report, res residual, out Outcome) {
	if rep.batch.Retry {
		return
	}
	failed, first := 0, ""
	var why Outcome
	tell := func(path string) {
		o := reasonFor(path, rep.res.Stderr, out)
		if o.ID == idChanged {
			return
		}
		if failed++; failed == 1 {
			first, why = path, o
		}
	}
	for _, it := range res.items {
		tell(it.Path)
	}
	for _, c := range res.other {
		tell(c.Path)
	}
	if failed > 0 {
		d.log.Warn("paths failed and are tried again", "batch", rep.batch.ID, "failed", failed, "path", first,
			"error_id", why.ID, "message", why.Message, "hint", why.Hint)
	}
}

// squeeze treats a batch that was cut short by one of its files: rsync gives
// up at the first that finds no space, whatever comes behind it. What is left
// is sent again, smallest first, in batches of half the size, until either it
// fits or one path fails alone. That one goes to the retry set, unless it is so
// small that there is no space for anything: then the remote backs off. It
// tells whether it has dealt with the batch.
func (d *Dispatcher) squeeze(rep report, res residual, now time.Time) bool {
	b, out := rep.batch, rep.res.Outcome
	if b.chunk != nil {
		return false
	}
	alone := len(b.Items) == 1
	if alone && out.ID == "E-NOSPACE" && b.Items[0].Size <= smallSize {
		if b.Retry {
			d.failItem(b.Items[0], out, true, now)
		} else {
			d.giveBack(b)
		}
		d.fail(now, b.Started, out, rep.res.Exit)
		return true
	}
	if b.Retry || len(res.items) == 1 {
		return false
	}
	left := make(map[string]bool, len(res.items))
	for _, it := range res.items {
		left[it.Path] = true
	}
	if len(left) < len(b.Items) {
		d.recovered(now)
		d.arrived(rep, left, true, now)
	}
	slices.SortStableFunc(res.items, func(a, b *Item) int { return cmp.Compare(a.Size, b.Size) })
	d.requeue(res.items)
	d.maxFiles = max(1, len(res.items)/2)
	return true
}

// residual is what a verify pass found still different.
type residual struct {
	items []*Item
	other []Change // paths that are no items: stamps, hard links, children
}

func (d *Dispatcher) residual(rep report) residual {
	b := rep.batch
	byPath := make(map[string]*Item, len(b.Items))
	for _, it := range b.Items {
		byPath[it.Path] = it
	}
	var r residual
	seen := map[string]bool{}
	for _, c := range rep.verify.Changes {
		it, ok := byPath[c.Path], true
		if it == nil && c.Delete && b.Lane != LaneReconcile {
			// A removed tree is listed by its top, and itemized path by path.
			it, ok = topItem(byPath, c.Path)
		}
		key := c.Path
		if it != nil && ok {
			key = it.Path
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		if it != nil {
			r.items = append(r.items, it)
		} else {
			r.other = append(r.other, c)
		}
	}
	return r
}

func topItem(items map[string]*Item, path string) (*Item, bool) {
	for i := strings.LastIndexByte(path, '/'); i >= 0; i = strings.LastIndexByte(path, '/') {
		path = path[:i]
		if it := items[path]; it != nil {
			return it, true
		}
	}
	return nil, false
}
