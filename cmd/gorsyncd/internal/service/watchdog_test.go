package service

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const period = time.Minute

// dog is a watchdog in virtual time that counts its kicks.
type dog struct {
	*Watchdog
	kicks atomic.Int64
	disk  atomic.Bool
	log   bytes.Buffer
	stop  func()
}

func newDog() *dog {
	d := &dog{}
	d.Watchdog = NewWatchdog(nil, slog.New(slog.NewTextHandler(&d.log, nil)))
	d.every, d.onDisk = period/looksPerPeriod, d.disk.Load
	d.kick = func() error { d.kicks.Add(1); return nil }
	return d
}

func (d *dog) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	d.stop = func() { cancel(); <-done }
}

// kicked counts the kicks of the next few periods.
func (d *dog) kicked(periods int) int {
	synctest.Wait()
	before := d.kicks.Load()
	time.Sleep(time.Duration(periods) * period)
	synctest.Wait()
	return int(d.kicks.Load() - before)
}

// rests is a loop that goes round only when it is nudged, until stuck.
func rests(s *Sign) (stuck *atomic.Bool) {
	stuck = &atomic.Bool{}
	s.OnLook(func() {
		if !stuck.Load() {
			s.Round()
		}
	})
	s.Round()
	return stuck
}

func inBubble(t *testing.T, test func(t *testing.T, d *dog)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDog()
		d.run()
		test(t, d)
		d.stop()
	})
}

// TestStuckLoop: one loop that goes round no more is enough, whatever others do;
// kicks end within two periods and begin again if it does.
func TestStuckLoop(t *testing.T) {
	inBubble(t, func(t *testing.T, d *dog) {
		rests(d.Watch("source www", "source www"))
		stuck := rests(d.Watch("remote www/nas", "source www"))
		if n := d.kicked(10); n < 10*looksPerPeriod-1 {
			t.Errorf("%d kicks in 10 periods", n)
		}
		stuck.Store(true)
		if n := d.kicked(2); n > 6 {
			t.Errorf("%d kicks after the loop is stuck", n)
		}
		if n := d.kicked(10); n != 0 {
			t.Errorf("%d kicks while the loop is stuck", n)
		}
		if got := d.Hanging(); !slices.Equal(got, []string{"remote www/nas"}) {
			t.Errorf("hanging %q", got)
		}
		if log := d.log.String(); strings.Count(log, "no sign of life") != 1 || !strings.Contains(log, `hangs="remote www/nas"`) {
			t.Errorf("log %s", log)
		}
		stuck.Store(false)
		if n := d.kicked(2); n < looksPerPeriod {
			t.Errorf("%d kicks after it goes on", n)
		}
		if !strings.Contains(d.log.String(), "signs of life again") {
			t.Errorf("log %s", d.log.String())
		}
	})
}

// TestWaitingLoop: a loop that is in a call that may take any time is waited for,
// for ever, and is told.
func TestWaitingLoop(t *testing.T) {
	inBubble(t, func(t *testing.T, d *dog) {
		tree, nas := d.Watch("source www", "source www"), d.Watch("remote www/nas", "source www")
		rests(tree)
		hung := rests(nas)
		tree.OnLook(func() {})
		tree.Enter()
		if n := d.kicked(100); n < 399 {
			t.Errorf("%d kicks in 100 periods", n)
		}
		if got := d.Waiting(); !slices.Equal(got, []string{"source www"}) {
			t.Errorf("waiting %q", got)
		}
		hung.Store(true)
		nas.Enter() // for the same source
		d.kicked(1)
		if got := d.Waiting(); !slices.Equal(got, []string{"source www"}) {
			t.Errorf("waiting %q", got)
		}
		nas.Leave()
		tree.Leave()
		hung.Store(false)
		tree.OnLook(tree.Round)
		if n := d.kicked(2); n < 2*looksPerPeriod-1 || len(d.Waiting()) != 0 {
			t.Errorf("%d kicks, waiting %q", n, d.Waiting())
		}
	})
}

// TestWaitThatHides: the call of one loop does not hide that another is stuck, and
// one that has left its call is expected to go on.
func TestWaitThatHides(t *testing.T) {
	inBubble(t, func(t *testing.T, d *dog) {
		tree := d.Watch("source a", "source a")
		tree.Round()
		tree.Enter()
		stuck := rests(d.Watch("source b", "source b"))
		stuck.Store(true)
		d.kicked(2)
		if n := d.kicked(2); n != 0 {
			t.Errorf("%d kicks", n)
		}
		stuck.Store(false)
		tree.Leave() // and nothing more
		d.kicked(3)
		if n := d.kicked(2); n != 0 {
			t.Errorf("%d kicks after the call has ended", n)
		}
	})
}

// TestManyCalls: a loop that does not go round for long, but comes back from call
// after call, as in a directory of millions of names, is alive.
func TestManyCalls(t *testing.T) {
	inBubble(t, func(t *testing.T, d *dog) {
		s := d.Watch("source www", "source www")
		s.Round()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for ctx.Err() == nil {
				s.Enter()
				s.Leave()
				time.Sleep(period / 2)
			}
		}()
		if n := d.kicked(20); n < 79 {
			t.Errorf("%d kicks in 20 periods", n)
		}
		cancel()
		synctest.Wait()
		time.Sleep(period)
	})
}

// TestDisk: while a thread waits for a disk nothing is concluded.
func TestDisk(t *testing.T) {
	inBubble(t, func(t *testing.T, d *dog) {
		rests(d.Watch("remote www/nas", "source www")).Store(true)
		d.disk.Store(true)
		if n := d.kicked(20); n < 79 {
			t.Errorf("%d kicks in 20 periods", n)
		}
		d.disk.Store(false)
		d.kicked(2)
		if n := d.kicked(2); n != 0 {
			t.Errorf("%d kicks when the disk is back and the loop is not", n)
		}
	})
}

// TestCommit: a commit may take ten minutes, and longer if it waits for a disk.
func TestCommit(t *testing.T) {
	inBubble(t, func(t *testing.T, d *dog) {
		var begun atomic.Uint64
		d.WatchJournal(func() (uint64, bool) { return begun.Load(), begun.Load() > 0 })
		rests(d.Watch("remote www/nas", "source www"))
		d.kicked(20)
		begun.Store(1)
		d.disk.Store(true)
		if n := d.kicked(30); n < 119 || !slices.Equal(d.Waiting(), []string{"the disk of the journal"}) {
			t.Errorf("%d kicks in 30 periods of a slow disk, waiting for %q", n, d.Waiting())
		}
		d.disk.Store(false)
		if n := d.kicked(9); n < 35 {
			t.Errorf("%d kicks in 9 minutes", n)
		}
		d.kicked(2)
		if n := d.kicked(2); n != 0 || !strings.Contains(d.log.String(), "a commit of the journal") {
			t.Errorf("%d kicks after 11 minutes", n)
		}
		begun.Store(2)
		if n := d.kicked(2); n < 7 {
			t.Errorf("%d kicks with the next one", n)
		}
	})
}

// TestBeginningAndEnd: nothing is expected of a loop before its first round, nor
// after its end.
func TestBeginningAndEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, d *dog) {
		s := d.Watch("source www", "source www")
		if n := d.kicked(5); n < 19 {
			t.Errorf("%d kicks before it begins", n)
		}
		s.Round()
		s.Done()
		if n := d.kicked(5); n < 19 {
			t.Errorf("%d kicks after its end", n)
		}
		if len(d.loops) != 0 {
			t.Error("it is kept")
		}
	})
}

func TestOnDisk(t *testing.T) {
	for line, want := range map[string]bool{"12 (gorsyncd) D 1 12": true, "12 (a) D b) S 1": false, "12 (a) S) D 1": true, "12 (gorsyncd) R 1": false, "": false} {
		if inDiskWait([]byte(line)) != want {
			t.Errorf("%q: %v", line, !want)
		}
	}
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); onDisk(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a thread that only runs waits for a disk for 10 s")
		}
	}
}

// TestStuckForReal is TestStuckLoop with a clock, a socket and a loop of a program.
func TestStuckForReal(t *testing.T) {
	t.Parallel()
	const period = 400 * time.Millisecond
	addr := fmt.Sprintf("@gorsyncd-watchdog-%d", os.Getpid())
	conn := listen(t, addr)
	n, err := newNotifier(addr, period)
	if err != nil {
		t.Fatal(err)
	}
	w := NewWatchdog(n, slog.New(slog.DiscardHandler))
	s := w.Watch("loop", "nothing")
	work := make(chan struct{}, 1)
	s.OnLook(func() {
		select {
		case work <- struct{}{}:
		default:
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for range work {
			s.Round()
		}
	}()
	work <- struct{}{}
	go w.Run(ctx)
	for range 12 { // three periods
		if got := receive(t, conn); got != "WATCHDOG=1" {
			t.Fatalf("got %q", got)
		}
	}
	stuck := w.Watch("stuck loop", "nothing")
	stuck.Round()
	last := time.Now()
	for {
		if err := conn.SetReadDeadline(time.Now().Add(2 * period)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 100)); err != nil {
			break // no kick for two periods
		}
		if time.Since(last) > 5*period {
			t.Fatal("kicked for five periods after a loop was stuck")
		}
	}
}
