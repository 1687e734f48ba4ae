package replicate

import (
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

type countedLife struct{ rounds, calls, inside, done atomic.Int64 }

func (l *countedLife) Round() { l.rounds.Add(1) }
func (l *countedLife) Enter() { l.calls.Add(1); l.inside.Add(1) }
func (l *countedLife) Leave() { l.inside.Add(-1) }
func (l *countedLife) Done()  { l.done.Store(1) }

// TestLife: the loop goes round by itself within half a minute, at once when it is
// nudged, also while a run is under way, and says when it looks at the source.
func TestLife(t *testing.T) {
	life := &countedLife{}
	simulate(t, func(g *rig) { g.o.Life = life }, func(t *testing.T, g *rig, f *fakeTransport) {
		time.Sleep(idleTick)
		synctest.Wait()
		rounds := life.rounds.Load()
		time.Sleep(idleTick + time.Second)
		synctest.Wait()
		if life.rounds.Load() == rounds {
			t.Error("no round in half a minute")
		}
		nudged := func(when string) {
			t.Helper()
			rounds := life.rounds.Load()
			g.d.Nudge()
			g.d.Nudge() // nobody waits
			synctest.Wait()
			if got := life.rounds.Load() - rounds; got < 1 || got > 2 {
				t.Errorf("%s: %d rounds after a nudge", when, got)
			}
		}
		nudged("at rest")
		calls := life.calls.Load()
		f.mu.Lock()
		f.takes = time.Hour
		f.mu.Unlock()
		write(t, g.src, map[string]string{"a/f": "1"})
		g.j.change("a/f")
		time.Sleep(time.Minute)
		synctest.Wait()
		nudged("while a run is under way")
		if life.calls.Load() == calls || life.inside.Load() != 0 {
			t.Errorf("%d calls announced, inside of %d", life.calls.Load()-calls, life.inside.Load())
		}
		if err := os.RemoveAll(g.src); err != nil {
			t.Fatal(err)
		}
		g.stop()
		if life.done.Load() == 0 {
			t.Error("not done at its end")
		}
		g.d.Nudge() // of one that has ended
	})
}
