package watch

import (
	"sync/atomic"
	"testing"
	"time"
)

// countedLife is what a watchdog sees.
type countedLife struct {
	rounds, calls, done atomic.Int64
	inside              atomic.Int64
}

func (l *countedLife) Round() { l.rounds.Add(1) }
func (l *countedLife) Enter() { l.calls.Add(1); l.inside.Add(1) }
func (l *countedLife) Leave() { l.inside.Add(-1) }
func (l *countedLife) Done()  { l.done.Add(1) }

// TestLife: the loop goes round by itself, announces its calls and ends them all.
func TestLife(t *testing.T) {
	onBoth(t, func(t *testing.T) {
		life := &countedLife{}
		r := startTree(t, func(r *rig) { r.o.Life = life })
		r.sh(`mkdir -p a/b c; echo 1 > a/b/f; ln a/b/f c/g; mv a d; rm -r c; touch x; rm x`)
		r.fence()
		rounds, calls := life.rounds.Load(), life.calls.Load()
		if rounds < 3 || calls < 10 {
			t.Errorf("%d rounds, %d calls", rounds, calls)
		}
		r.eventually("to go round at rest", func() bool { return life.rounds.Load() >= rounds+2 })
		if life.done.Load() != 0 {
			t.Error("done while it runs")
		}
		r.stop()
		if life.inside.Load() != 0 || life.done.Load() != 1 {
			t.Errorf("at the end: inside of %d calls, done %d times", life.inside.Load(), life.done.Load())
		}
	})
}

// TestLifeOfHungSource: a file system that does not answer is one that is waited
// for, not a loop that hangs.
func TestLifeOfHungSource(t *testing.T) {
	life := &countedLife{}
	answer, asked := make(chan struct{}), make(chan struct{}, 1)
	r := newRig(t)
	r.o.Life = life
	r.prepare = func(tree *Tree) {
		tree.magic = func(abs string) int64 {
			notify(asked)
			<-answer
			return fsMagic(abs)
		}
	}
	r.start()
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatal("the file system was not asked")
	}
	rounds := life.rounds.Load()
	time.Sleep(2 * tickEvery)
	if got := life.rounds.Load(); got != rounds || life.inside.Load() == 0 {
		t.Errorf("%d rounds while it hangs, inside of %d calls", got-rounds, life.inside.Load())
	}
	close(answer)
	r.waitReady()
	r.eventually("to go on", func() bool { return life.rounds.Load() > rounds && life.inside.Load() == 0 })
}
