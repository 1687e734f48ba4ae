package replicate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"gorsyncd/journal"
)

// notes is an Observer that writes down what it is told.
type notes struct {
	mu        sync.Mutex
	delivered []time.Duration
	bytes     int64
	health    []string
	ended     []Ending
}

func (n *notes) Delivered(at, since time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delivered = append(n.delivered, at.Sub(since))
}

func (n *notes) Carried(_ time.Time, bytes int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bytes += bytes
}

func (n *notes) Health(_ time.Time, id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.health) == 0 || n.health[len(n.health)-1] != id {
		n.health = append(n.health, id)
	}
}

func (n *notes) Ended(e Ending) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = append(n.ended, e)
}

func (n *notes) counts() (delivered int, bytes int64, health []string, ended []Ending) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.delivered), n.bytes, slices.Clone(n.health), slices.Clone(n.ended)
}

// TestObserverCountsEachChangeOnce: what arrives is told once, with what it
// weighs; what only stamps a directory, or is excluded, is no change.
func TestObserverCountsEachChangeOnce(t *testing.T) {
	n := &notes{}
	g := newRig(t, func(g *rig) {
		g.o.Observer = n
		g.o.Excluded = func(path string, _ bool) bool { return filepath.Ext(path) == ".tmp" }
		g.o.FilterArgs = []string{"--filter=- *.tmp"}
	})
	g.j.scan(t, true)
	g.start()
	write(t, g.src, map[string]string{"d/a": "12345", "d/b": "123", "x.tmp": "1234567"})
	g.sync()
	// The root, d, a and b; x.tmp is none.
	if d, bytes, _, _ := n.counts(); d != 4 || bytes != 8 {
		t.Errorf("%d changes with %d bytes", d, bytes)
	}
	if err := os.Remove(filepath.Join(g.src, "d/a")); err != nil {
		t.Fatal(err)
	}
	g.sync()
	if d, _, health, _ := n.counts(); d != 6 || fmt.Sprint(health) != "[]" { // and d, which lost it
		t.Errorf("%d changes after a removal, health %q", d, health)
	}
}

// TestObserverOfFailures: the time in the retry set is in the latency, and an
// attempt that fails is no delivery.
func TestObserverOfFailures(t *testing.T) {
	n := &notes{}
	d := loaded(t)
	d.o.Observer = n
	now := time.Unix(1_800_000_000, 0)
	d.take(journal.Entry{Path: "f", Seq: 1, Op: journal.OpChange, Time: now}, now)
	it := d.queue.get("f")
	d.failItem(it, Outcome{ID: "E-DEST-PERM", Class: ClassEntry}, false, now.Add(time.Second))
	r := d.retries.get("f")
	r.item.state = itemInFlight
	d.take(journal.Entry{Path: "f", Seq: 2, Op: journal.OpChange, Time: now.Add(30 * time.Second)}, now.Add(30*time.Second))
	d.ackItem(r.item, true, now.Add(time.Minute)) // the state before
	d.ackItem(r.item, true, now.Add(2*time.Minute))
	if want := "[1m0s 1m30s]"; fmt.Sprint(n.delivered) != want {
		t.Errorf("latencies %v, want %s", n.delivered, want)
	}
	d.restamp("d", now)
	d.ackItem(d.retries.get("d").item, true, now.Add(time.Hour))
	if len(n.delivered) != 2 {
		t.Errorf("a stamp counts as a change: %v", n.delivered)
	}
	d.fail(now, now, Outcome{ID: "E-CONNECT", Class: ClassTransient}, 10)
	d.recovered(now)
	d.hold("G-MAXDELETE x", now)
	if fmt.Sprint(n.health) != "[E-CONNECT  G-MAXDELETE]" {
		t.Errorf("health %q", n.health)
	}
}

func TestObserverOfRuns(t *testing.T) {
	n := &notes{}
	g := newRig(t, func(g *rig) { g.o.Observer = n })
	write(t, g.src, map[string]string{"d/a": "1"})
	g.j.scan(t, true)
	g.start()
	if err := g.d.FullSync(t.Context(), FullSyncRequest{Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	g.wait(0)
	if _, err := g.d.Verify(t.Context(), VerifyRequest{Checksum: true}, VerifyObserver{}); err != nil {
		t.Fatal(err)
	}
	_, _, _, ended := n.counts()
	if len(ended) != 2 || ended[0].Verify || ended[0].Reason != "test" || ended[0].Dirs != 2 ||
		!ended[1].Verify || !ended[1].Checksum || !ended[1].Complete || ended[1].Differences != 0 {
		t.Errorf("%+v", ended)
	}
}
