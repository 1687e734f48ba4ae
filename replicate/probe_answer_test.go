package replicate

import (
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// TestFullSyncBesideTheEndOfAProbe: what is to be left out is known before the
// probe has tidied up; that it has to is not forgotten, also over a restart.
func TestFullSyncBesideTheEndOfAProbe(t *testing.T) {
	simulateProbes(t, finds("W-XATTRS"), func(g *rig) {
		f := g.o.transport.(*fakeProber)
		f.takes, f.tidies = time.Minute, time.Hour
		f.reply = func(b *Batch, _ Mode) Result {
			if b.chunk != nil && !b.bare.xattrs {
				t.Errorf("chunk with %+v", b.bare)
			}
			return Result{Outcome: Outcome{Class: ClassOK}}
		}
		g.r.full = &journal.FullSync{Reason: journal.NewRemote}
		write(t, g.src, map[string]string{"a/f": "1"})
		g.j.scan(t, true)
	}, func(t *testing.T, g *rig, f *fakeProber, log *logLines) {
		if n := len(f.all()); n != 0 {
			t.Fatalf("%d runs before there was an answer", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		st := g.r.State()
		if g.r.FullSync() != nil || st.LastFull.IsZero() || !st.Probe.Dirty || !st.Probe.At.IsZero() {
			t.Fatalf("a minute after the answer: full sync %+v, %+v", g.r.FullSync(), st)
		}
		g.stop()
		if st := g.r.State().Probe; !st.Dirty {
			t.Errorf("killed before it was removed: %+v", st)
		}
		g.start()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if st := g.r.State().Probe; st.Dirty || st.At.IsZero() || f.count() != 2 {
			t.Errorf("after another probe: %+v", st)
		}
		if n := log.count("WARN", "W-XATTRS"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}
