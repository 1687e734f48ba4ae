package replicate

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gorsyncd/journal"
)

// meter adds up what it is told.
type meter struct {
	mu        sync.Mutex
	transfers []Transfer
	retries   map[Class]int
}

func (m *meter) Transferred(t Transfer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.transfers = append(m.transfers, t)
}

func (m *meter) Retried(c Class) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.retries == nil {
		m.retries = map[Class]int{}
	}
	m.retries[c]++
}

func (m *meter) sum() (t Transfer, classes map[Class]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	classes = map[Class]int{}
	for _, x := range m.transfers {
		classes[x.Class]++
		t.Files, t.Deleted, t.Bytes, t.WireBytes = t.Files+x.Files, t.Deleted+x.Deleted, t.Bytes+x.Bytes, t.WireBytes+x.WireBytes
		t.Duration += x.Duration
	}
	return t, classes
}

// TestMeterAgreesWithStatus: what it is told adds up to what the status says.
func TestMeterAgreesWithStatus(t *testing.T) {
	m := &meter{}
	g := newRig(t, func(g *rig) { g.o.Meter = m })
	g.j.scan(t, true)
	g.start()
	write(t, g.src, map[string]string{"d/a": "12345", "d/b": "123"})
	g.sync()
	if err := os.Remove(filepath.Join(g.src, "d/a")); err != nil {
		t.Fatal(err)
	}
	g.sync()
	sum, classes := m.sum()
	st := g.d.Status()
	if sum.Files != 2 || sum.Bytes != 8 || sum.Deleted != 1 || sum.Duration <= 0 {
		t.Errorf("%+v", sum)
	}
	if sum.Files != st.Files || sum.Deleted != st.Deleted || sum.Bytes != st.Bytes || sum.WireBytes != st.WireBytes || uint64(classes[ClassOK]) != st.Transfers {
		t.Errorf("%+v %v, but the status has %d transfers, %d files, %d deleted, %d bytes, %d on the wire",
			sum, classes, st.Transfers, st.Files, st.Deleted, st.Bytes, st.WireBytes)
	}
	if len(m.retries) != 0 {
		t.Errorf("retries %v", m.retries)
	}
}

// TestMeterOfFailures: an attempt of a path and one of the remote are told apart, and
// what the breaker does not count is not told.
func TestMeterOfFailures(t *testing.T) {
	m := &meter{}
	d := loaded(t)
	d.o.Meter = m
	now := time.Unix(1_800_000_000, 0)
	d.take(journal.Entry{Path: "f", Seq: 1, Op: journal.OpChange, Time: now}, now)
	d.failItem(d.queue.get("f"), Outcome{ID: "E-DEST-PERM", Class: ClassEntry}, false, now)
	for _, started := range []time.Duration{0, -time.Second, 0} { // the second was under way already
		d.fail(now, now.Add(started), Outcome{ID: "E-CONNECT", Class: ClassTransient}, 10)
	}
	d.fail(now, now, Outcome{ID: "E-AUTH", Class: ClassConfig}, 5)
	if m.retries[ClassEntry] != 1 || m.retries[ClassTransient] != 2 || m.retries[ClassConfig] != 1 || d.breaker.attempts != 3 {
		t.Errorf("%v after %d failures of the remote", m.retries, d.breaker.attempts)
	}
}

// TestMeterOfPartialTransfers: the comparison that finds out what arrived is part of
// the transfer, with its exit.
func TestMeterOfPartialTransfers(t *testing.T) {
	m := &meter{}
	d := loaded(t)
	d.o.Meter = m
	rep := report{batch: &Batch{}, res: Result{Exit: 23, Outcome: Outcome{Class: ClassEntry}, Sent: 5, Received: 6, Duration: time.Second},
		verify: &Result{Exit: 24, Sent: 1, Received: 2, Duration: time.Minute}}
	d.metered(&rep, 0)
	if len(m.transfers) != 1 || m.transfers[0] != (Transfer{Class: ClassEntry, Exit: 23, Compared: true, Recheck: 24, Duration: time.Second + time.Minute, WireBytes: 14}) {
		t.Errorf("%+v", m.transfers)
	}
}

// TestObservers: each is told of everything.
func TestObservers(t *testing.T) {
	a, b := &notes{}, &notes{}
	now := time.Unix(1_800_000_000, 0)
	o := Observers(a, b)
	o.Delivered(now, now.Add(-time.Second))
	o.Carried(now, 7)
	o.Health(now, "E-AUTH")
	o.Ended(Ending{Dirs: 3})
	for _, n := range []*notes{a, b} {
		if d, bytes, health, ended := n.counts(); d != 1 || n.delivered[0] != time.Second || bytes != 7 || len(health) != 1 || len(ended) != 1 || ended[0].Dirs != 3 {
			t.Errorf("%d %d %q %+v", d, bytes, health, ended)
		}
	}
}
