package sink

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// rejects has the receiver reject events whose path says so; it says which.
func (r *rig) rejects(part string) {
	r.to.answer = func(events []Event) Result {
		var bad []int
		for i := range events {
			if strings.Contains(events[i].rel, part) {
				bad = append(bad, i)
			}
		}
		if bad == nil {
			return delivered
		}
		res := rejected(idStatus, "", "no")
		res.Left = bad
		return res
	}
}

// TestRejectedForEver: events that are never taken do not keep new ones waiting.
func TestRejectedForEver(t *testing.T) {
	r := newRig(t)
	r.rejects("bad")
	for i := range 20 {
		r.record(file(fmt.Sprint("bad", i)))
		r.later(time.Second)
	}
	for range 24 * 6 {
		r.later(10 * time.Minute)
	}
	r.to.take()
	r.record(file("good"))
	r.later(2 * r.o.Retry.Max)
	r.want("change good")
}

// TestResyncIsRejected: it is tried again by itself.
func TestResyncIsRejected(t *testing.T) {
	r := newRig(t)
	r.to.answer = func(events []Event) Result {
		if events[0].Op == OpResync {
			return rejected(idExit, "", "is a directory")
		}
		return delivered
	}
	check(t, r.sink.GiveUp(t.Context(), "limit"))
	r.step()
	r.record(file("a"))
	r.step()
	r.want("change a")
	if st := r.sink.Status(); st.Error == nil || st.Error.ID != idExit || st.Resync == nil || st.State == replicate.StateInSync {
		t.Errorf("status: %+v", st)
	}
	r.to.answer = nil
	r.later(2 * r.o.Retry.Max)
	r.want("resync ")
	r.idle()
}

// TestChildIsRejected: what was in a removed directory is told, whatever is rejected of
// it or beside it, and however the pieces fall.
func TestChildIsRejected(t *testing.T) {
	for _, bad := range []string{"x", "d/1", "d/3", "d/4"} {
		t.Run(bad, func(t *testing.T) {
			r := newRig(t, func(o *Options) { o.Below, o.Batch = true, 3 })
			r.record(file("x"), dirState("d"), file("d/1"), file("d/2"), file("d/3"), file("d/4"))
			r.step()
			r.to.take()
			r.rejects(bad)
			r.record(file("x"), gone("d"))
			r.step()
			told := r.to.take()
			for range 5 {
				r.later(2 * r.o.Retry.Max)
				told += ", " + r.to.take()
			}
			for _, p := range []string{"change x", "remove d", "remove d/1", "remove d/2", "remove d/3", "remove d/4"} {
				if got := strings.Contains(told+",", p+","); got == strings.HasSuffix(p, bad) {
					t.Errorf("%s: told %v of: %s", p, got, told)
				}
			}
			r.to.answer = nil
			r.later(2 * r.o.Retry.Max)
			if last := r.to.take(); !strings.Contains(last+",", bad+",") {
				t.Errorf("at last: %s", last)
			}
			r.idle()
		})
	}
}

// TestFileForDirectory: a directory that something else has taken the place of is gone
// with what was in it.
func TestFileForDirectory(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Below = true })
	r.record(dirState("d"), file("d/1"), dirState("d/e"), file("d/e/2"))
	r.step()
	r.to.take()
	r.record(file("d"))
	r.step()
	r.want("change d, remove d/1, remove d/e/2")
	r.idle()
}

// TestRemovedTwice: what was in a directory whose removal is rejected is told even when
// the directory above has gone since and the journal was swept.
func TestRemovedTwice(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Below = true })
	r.record(dirState("p"), file("p/x"), dirState("p/d"), file("p/d/1"), file("p/d/2"))
	r.ack()
	r.step()
	r.to.take()
	r.rejects("p/d")
	r.record(gone("p/d"))
	r.step()
	r.record(gone("p"))
	r.step()
	r.to.take()
	r.ack()
	for range 3 {
		check(t, r.j.Maintain(t.Context()))
	}
	r.to.answer = nil
	r.later(2 * r.o.Retry.Max)
	if got := r.to.take(); !strings.Contains(got, "remove p/d") {
		t.Errorf("told: %s", got)
	}
	r.idle()
}

// TestRemovalStaysADirectory: in the retry set, too.
func TestRemovalStaysADirectory(t *testing.T) {
	r := newRig(t)
	r.record(dirState("d"), file("d/1"))
	r.step()
	r.rejects("d")
	r.record(gone("d"))
	r.step()
	var isDir []bool
	r.to.answer = func(events []Event) Result {
		isDir = append(isDir, events[0].isDir)
		return delivered
	}
	r.restart()
	r.later(2 * r.o.Retry.Max)
	if len(isDir) != 1 || !isDir[0] {
		t.Errorf("directory: %v", isDir)
	}
}

// TestResyncOfEverything: with Below a resync names all that there is.
func TestResyncOfEverything(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Below, o.Batch = true, 2 })
	r.record(dirState("d"), file("d/1"), dirState("d/e"), file("d/e/2"), file("x"), file("gone"))
	r.record(gone("gone"))
	check(t, r.sink.GiveUp(t.Context(), "limit"))
	r.step()
	r.want("resync , change d/1, change d/e/2, change x")
	r.idle()
}

// TestResyncWaits for what was skipped to be on the remotes, and for the first scan.
func TestResyncWaits(t *testing.T) {
	r := newRig(t).acked()
	r.record(file("a"), file("b"))
	check(t, r.sink.GiveUp(t.Context(), "limit"))
	r.restart()
	r.step()
	r.want("")
	r.ack()
	r.step()
	r.want("resync ")
	scanned := make(chan struct{})
	r.o.Ready = scanned
	r.restart()
	check(t, r.sink.GiveUp(t.Context(), "journal lost"))
	r.step()
	r.want("")
	close(scanned)
	r.step()
	r.want("resync ")
	r.idle()
}

// TestOvertaken: a remote that passes an entry because a newer one has taken its place
// does not have the path yet.
func TestOvertaken(t *testing.T) {
	r := newRig(t).acked()
	var all []change
	for i := range window {
		all = append(all, file(fmt.Sprint("f", i)))
	}
	r.record(append([]change{file("p")}, all...)...)
	first := r.src.Head() - window
	r.step()
	r.record(file("p"))
	check(t, r.remote.Commit(t.Context(), journal.Update{Cursor: &journal.Cursor{Low: first}}))
	r.step()
	r.want("")
	r.ack()
	r.step()
	if got := r.to.take(); strings.Count(got, "change p,")+strings.Count(got, ", change p") != 1 {
		t.Errorf("p is told %d times", strings.Count(got, "change p"))
	}
	r.idle()
}

// TestWantedNoMore: a changed match empties the retry set.
func TestWantedNoMore(t *testing.T) {
	r := newRig(t)
	r.rejects("poison")
	r.record(file("poison"), file("a"))
	r.step()
	var err error
	r.o.Filter, err = watch.ParseFilter([]watch.Rule{{Text: "- /poison"}})
	check(t, err)
	r.restart()
	r.to.take()
	r.later(2 * r.o.Retry.Max)
	r.want("")
	r.idle()
}

// TestManyWait: many paths that fail on a remote all have their turn.
func TestManyWait(t *testing.T) {
	r := newRig(t).acked()
	var all []change
	var names []string
	for i := range 3 * gateParts {
		names = append(names, fmt.Sprint("f", i))
		all = append(all, file(names[i]))
	}
	r.record(all...)
	r.ack(names...)
	r.step()
	check(t, r.remote.Commit(t.Context(), journal.Update{DelRetry: []string{"f5", "f3000", "f5999"}}))
	for range 4 {
		r.later(gatePollMax)
	}
	if got := r.to.take(); strings.Count(got, "change") != 3 {
		t.Errorf("told: %.200s", got)
	}
}

// TestGateBeginsFullSync: one that begins while a sink looks is not overlooked.
func TestGateBeginsFullSync(t *testing.T) {
	r := newRig(t)
	r.o.Gates = []Remote{betweenReads{r.remote, func() {
		check(t, r.remote.Commit(t.Context(), journal.Update{Cursor: &journal.Cursor{Low: r.src.Head()}, FullSync: &journal.FullSync{Reason: "journal.max_size reached"}}))
	}}}
	r.restart()
	r.record(file("a"))
	r.step()
	r.want("")
}

// betweenReads does something between reading the full sync and the cursor.
type betweenReads struct {
	*journal.Remote
	do func()
}

func (b betweenReads) Cursor() journal.Cursor {
	b.do()
	return b.Remote.Cursor()
}

// TestPartialFullSync holds up only what it is about.
func TestPartialFullSync(t *testing.T) {
	r := newRig(t).acked()
	check(t, r.remote.Commit(t.Context(), journal.Update{FullSync: &journal.FullSync{Reason: "another place was approved", Sub: "d"}}))
	r.record(dirState("d"), file("d/1"), file("x"))
	r.ack()
	r.step()
	r.want("change x")
}

// fullDisk is a store that waits for space.
type fullDisk struct {
	Store
	space chan struct{}
}

func (f fullDisk) Commit(ctx context.Context, u journal.Update) error {
	select {
	case <-f.space:
		return f.Store.Commit(ctx, u)
	case <-ctx.Done():
		return journal.ErrNoSpace
	}
}

// TestFullDisk: while the journal waits for space a sink answers, and ends when told to.
func TestFullDisk(t *testing.T) {
	r := newRig(t)
	disk := fullDisk{r.o.Store, make(chan struct{})}
	r.o.Store = disk
	r.o.Now = nil
	told := make(chan struct{}, 10)
	r.to.answer = func([]Event) Result {
		told <- struct{}{}
		return delivered
	}
	r.restart()
	running, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.sink.Run(running) }()
	r.record(file("a"))
	<-told
	answered := make(chan Status, 1)
	go func() { answered <- r.sink.Status() }()
	select {
	case <-answered:
	case <-time.After(5 * time.Second):
		t.Fatal("no status while the disk is full")
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := r.sink.Pause(short, "", time.Time{}); err == nil {
		t.Error("a pause was noted on a full disk")
	}
	end()
	select {
	case err := <-done:
		check(t, err)
	case <-time.After(3 * finishTime):
		t.Fatal("it does not end")
	}
	// What could not be noted is told again.
	close(disk.space)
	r.restart()
	r.step()
	<-told
}

// TestPoison: an event on which the server breaks down does not hold up the others for
// ever.
func TestPoison(t *testing.T) {
	r := newRig(t)
	broken := false
	r.to.answer = func(events []Event) Result {
		for i := range events {
			if broken || events[i].rel == "poison" {
				return transient(idStatus, "", "500")
			}
		}
		return delivered
	}
	r.record(file("a"), file("poison"), file("b"), file("c"))
	for range 20 {
		r.later(2 * r.o.Retry.Max)
	}
	r.want("change a, change b, change c")
	if st := r.sink.Status(); st.Failing != 1 || st.Error == nil || st.Error.Path != "poison" {
		t.Errorf("status: %+v", st)
	}
	r.record(file("d"))
	r.later(2 * r.o.Retry.Max)
	r.want("change d")
	// When nothing goes through nobody is blamed.
	broken = true
	r.record(file("e"), file("f"), file("g"))
	for range 20 {
		r.later(2 * r.o.Retry.Max)
	}
	if st := r.sink.Status(); st.Failing != 1 || st.LagEntries != 4 {
		t.Errorf("status: %+v", st)
	}
	broken = false
	for range 5 {
		r.later(2 * r.o.Retry.Max)
	}
	told := strings.Split(r.to.take(), ", ")
	slices.Sort(told)
	if !slices.Equal(told, []string{"change e", "change f", "change g"}) {
		t.Errorf("delivered: %v", told)
	}
}
