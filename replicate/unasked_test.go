package replicate

import (
	"testing"
	"time"

	"gorsyncd/journal"
)

// loaded is a dispatcher that has read its state and does not run.
func loaded(t *testing.T) *Dispatcher {
	t.Helper()
	d, err := New(newRig(t).o)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.load(); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestRemovalOutlivesAnUnaskedChange: a directory is in the retry set because
// its stamp failed; then it is removed; then another run that was under way
// says once more that its stamp differs. The removal must stay one.
func TestRemovalOutlivesAnUnaskedChange(t *testing.T) {
	d := loaded(t)
	now := time.Now()
	d.ledger.read = 9
	d.keepRetry(journal.Retry{Path: "d", Seq: 4, Op: journal.OpChange, First: now, Next: now})
	d.absorb(d.retries.get("d"), journal.Entry{Path: "d", Seq: 7, Op: journal.OpRemove}, time.Time{})
	f := &Item{Path: "d/f", Seq: 3, Op: journal.OpChange, state: itemInFlight}
	d.partial(report{
		batch:  &Batch{Lane: LaneList, Items: []*Item{f}, Paths: []string{"d/f"}, Parents: []string{"d"}},
		res:    Result{Exit: 24, Outcome: Outcome{Class: ClassOK}},
		verify: &Result{Exit: 24, Outcome: Outcome{Class: ClassOK}, Changes: []Change{{Item: ".d..t......", Path: "d"}}},
	}, now)
	if r := d.retries.get("d"); r == nil || r.Op != journal.OpRemove || r.Seq != 7 {
		t.Fatalf("the retry set has %+v", r)
	}
}

// TestRequeuedItemStandsOnce: an item that comes back may still stand where it
// was before it was taken.
func TestRequeuedItemStandsOnce(t *testing.T) {
	q := newQueue()
	a, b := &Item{Path: "a"}, &Item{Path: "b"}
	q.push(a)
	q.push(b)
	for range 3 {
		q.take(a, itemInFlight)
		q.pushFront([]*Item{a})
	}
	n := 0
	for range q.all() {
		n++
	}
	if n != 2 {
		t.Errorf("%d items for two paths", n)
	}
}

// TestReturnedItemAcknowledgesNoOther: the retry set has a record of a path that
// nobody asked for, as of the last entry read, which is another path's. An older
// item of the path comes back and is absorbed by it; the other path waits still.
func TestReturnedItemAcknowledgesNoOther(t *testing.T) {
	d := loaded(t)
	now := time.Now()
	f := &Item{Path: "f", Seq: 5, Op: journal.OpChange, state: itemInFlight}
	d.ledger.add(5)
	d.take(journal.Entry{Path: "other", Seq: 6, Op: journal.OpChange}, now)
	d.keepRetry(journal.Retry{Path: "f", Seq: d.ledger.read, Op: journal.OpChange, First: now, Next: now})
	d.requeue([]*Item{f})
	if first := d.ledger.first(); first != 6 || d.queue.get("other") == nil {
		t.Errorf("the first that waits is %d, want 6", first)
	}
}

// TestReturnedRemovalStaysOne: a removal is under way when another run says that
// its path, or the stamp of it, is to be sent again. It comes back.
func TestReturnedRemovalStaysOne(t *testing.T) {
	for name, tell := range map[string]func(*Dispatcher, time.Time){
		"stamp": func(d *Dispatcher, now time.Time) { d.restampAt("d", now, now) },
		"unasked": func(d *Dispatcher, now time.Time) {
			d.failPath(d.unasked(Change{Item: ".d..t......", Path: "d"}), Outcome{}, time.Time{}, now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := loaded(t)
			now := time.Now()
			it := &Item{Path: "d", Seq: 5, Op: journal.OpRemove, state: itemInFlight}
			d.ledger.add(5)
			d.flights[1] = &Batch{Items: []*Item{it}}
			d.take(journal.Entry{Path: "other", Seq: 6, Op: journal.OpChange}, now)
			tell(d, now)
			delete(d.flights, 1)
			d.requeue([]*Item{it})
			if r := d.retries.get("d"); r == nil || r.Op != journal.OpRemove {
				t.Errorf("the retry set has %+v", r)
			}
		})
	}
}
