package replicate

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// TestReadingIsNotWritten: an entry that was read moves the cursor only when
// something is done with, be it that a newer entry stands for an older one.
func TestReadingIsNotWritten(t *testing.T) {
	simulate(t, func(g *rig) { g.o.Workers = 1 }, func(t *testing.T, g *rig, f *fakeTransport) {
		stored := func() (int, journal.Cursor) {
			g.r.mu.Lock()
			defer g.r.mu.Unlock()
			return g.r.commits, g.r.cursor
		}
		write(t, g.src, map[string]string{"a": "1", "b": "1"})
		f.takes = time.Hour
		before, _ := stored()
		g.j.change("a")
		time.Sleep(time.Second)
		g.j.change("b")
		time.Sleep(time.Second)
		synctest.Wait()
		if n, cur := stored(); n != before || cur.Low != 0 {
			t.Errorf("%d commits while nothing is done with, cursor %+v", n-before, cur)
		}
		g.j.change("b") // waits for the worker, and stands for the one before
		time.Sleep(time.Second)
		synctest.Wait()
		want := journal.Cursor{Done: []journal.Range{{From: 2, To: 2}}}
		if n, cur := stored(); n != before+1 || cur.Low != 0 || !slices.Equal(cur.Done, want.Done) {
			t.Errorf("%d commits, cursor %+v, want 1 and %+v", n-before, cur, want)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if _, cur := stored(); cur.Low != 3 || len(cur.Done) > 0 {
			t.Errorf("cursor %+v, want all done", cur)
		}
	})
}
