package watch

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"gorsyncd/journal"
)

func TestEveryKindOfChange(t *testing.T) { onBoth(t, testEveryKindOfChange) }

func testEveryKindOfChange(t *testing.T) {
	r := startTree(t)
	for _, c := range []struct{ name, script string }{
		{"create", `echo a > f`},
		{"append", `echo b >> f`},
		{"same size", `printf 'c\nd\n' > f`},
		{"truncate", `: > f`},
		{"chmod", `chmod 600 f`},
		{"setuid", `chmod 4711 f`},
		{"chown", `chown 1234:2345 f`},
		{"touch back", `touch -d '2001-02-03 04:05:06.789' f`},
		{"xattr-free rename", `mv f g`},
		{"rename over", `echo x > h; mv h g`},
		{"hard link", `ln g g2`},
		{"unlink one of two", `rm g`},
		{"symlink", `ln -s nowhere s`},
		{"retarget", `ln -sfn elsewhere s`},
		{"symlink owner", `chown -h 77:78 s`},
		{"fifo", `mkfifo p`},
		{"device", `mknod chr c 1 3; mknod blk b 7 99`},
		{"socket", `python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("so")'`},
		{"mkdir", `mkdir d`},
		{"dir mode", `chmod 2775 d`},
		{"deep", `mkdir -p d/e/f/g/h; echo x > d/e/f/g/h/i`},
		{"file in it", `echo y > d/e/f/z`},
		{"rename dir", `mv d/e d/e2`},
		{"file in renamed", `echo more >> d/e2/f/z; echo new > d/e2/f/g/n`},
		{"file to dir", `rm g2; mkdir g2; echo in > g2/x`},
		{"dir to file", `rm -r g2; echo f > g2`},
		{"dir to symlink", `mv d/e2 ../out; ln -s ../../out d/e2`},
		{"change behind the symlink", `echo q > ../out/f/q`},
		{"symlink to dir", `rm d/e2; mkdir d/e2; echo w > d/e2/w`},
		{"move in", `mv ../out in`},
		{"file in moved", `echo m >> in/f/z`},
		{"swap dirs", `mkdir a b; echo 1 > a/1; echo 2 > b/2; mv a t; mv b a; mv t b; echo 3 > a/3; echo 4 > b/4`},
		{"there and back", `mv a t; mv t a; echo 5 > a/5`},
		{"recreate", `rm -r a; mkdir a; echo 6 > a/6`},
		{"remove tree", `rm -r in d`},
		{"root attributes", `chmod 711 .; chown 5:6 .`},
		{"three dots", `mkdir -p .../x; echo 1 > .../x/y`},
		{"sparse", `truncate -s 1G big`},
		{"editor", `echo 1 > .e.swp; echo 2 > e~; mv e~ e; rm .e.swp`},
	} {
		t.Log(c.name)
		r.sh(c.script)
		r.settled()
		time.Sleep(3 * time.Millisecond)
		r.settled()
	}
}

func TestOddNames(t *testing.T) { onBoth(t, testOddNames) }

func testOddNames(t *testing.T) {
	r := startTree(t)
	names := []string{"a\nb", "\xff\xfe", "-rf", "#x", ";y", "*", "[a", `q"'\`, "$(id)", "`id`", " ", "\x1b[31m", "...", "~"}
	long := make([]byte, 255)
	for i := range long {
		long[i] = 'n'
	}
	names = append(names, string(long))
	for _, n := range names {
		r.sh(`mkdir -- "$1"; echo 1 > "$1/$1"`, n)
	}
	r.settled()
	for _, n := range names {
		r.sh(`echo 2 >> "$1/$1"; mv -- "$1" "moved $1" 2>/dev/null || mv -- "$1" short`, n)
	}
	r.settled()
	r.sh(`for d in *; do echo 3 > "$d/new"; done; for d in .[!.]* ...; do [ -d "$d" ] && echo 3 > "$d/new" || true; done`)
	r.settled()
}

func TestScanFindsWhatChangedWhileDown(t *testing.T) { onBoth(t, testScanFindsWhatChangedWhileDown) }

func testScanFindsWhatChangedWhileDown(t *testing.T) {
	r := startTree(t, func(r *rig) {
		r.sh(`mkdir -p a/b c; for i in 1 2 3; do echo $i > a/$i; echo $i > a/b/$i; echo $i > c/$i; done`)
	})
	r.settled()
	if n := r.idx.Head(); n != 0 {
		t.Errorf("the baseline wrote %d entries", n)
	}
	r.sh(`echo x >> a/1`)
	time.Sleep(2 * confirmAfter)
	r.settled()
	r.stop()
	before := r.idx.Head()
	r.sh(`rm a/b/2; echo new > a/b/n; echo y >> c/1; rm -r c/2; mkdir c/2; echo 1 > c/2/in`)
	time.Sleep(30 * time.Millisecond)
	r.start()
	r.waitReady()
	r.settled()
	var got []string
	for _, e := range r.idx.entries(before) {
		got = append(got, e.Path)
	}
	slices.Sort(got)
	want := []string{"a/b", "a/b/2", "a/b/n", "c", "c/1", "c/2", "c/2/in"}
	if !slices.Equal(got, want) {
		t.Errorf("journaled %q, want %q", got, want)
	}
	r.stop()
	before = r.idx.Head()
	time.Sleep(2 * confirmAfter)
	r.start()
	r.waitReady()
	r.stop()
	if list := r.idx.entries(before); len(list) > 0 {
		t.Errorf("an unchanged tree was journaled: %+v", list)
	}
}

func TestLatency(t *testing.T) { inTurn(t, testLatency) }

func testLatency(t *testing.T) {
	r := startTree(t)
	r.sh(`mkdir d; echo 1 > d/f`)
	r.settled()
	var worst time.Duration
	for range 20 {
		time.Sleep(2 * time.Second / streamRate) // a stream would rest
		before := r.idx.Head()
		if err := os.WriteFile(r.path("d/f"), []byte(time.Now().String()), 0o644); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for r.idx.Head() == before {
			time.Sleep(100 * time.Microsecond)
			if time.Since(start) > patience {
				t.Fatal("not journaled")
			}
		}
		worst = max(worst, time.Since(start))
	}
	t.Log("worst", worst)
	if worst > 250*time.Millisecond {
		t.Errorf("a change on an idle tree took %v to reach the index", worst)
	}
}

// TestRacyRecordsAreConfirmed shows that a quiet path is not journaled again.
func TestRacyRecordsAreConfirmed(t *testing.T) { onBoth(t, testRacyRecordsAreConfirmed) }

func testRacyRecordsAreConfirmed(t *testing.T) {
	r := startTree(t)
	r.sh(`mkdir d; for i in 1 2 3; do echo $i > d/$i; done`)
	r.settled()
	r.eventually("all confirmed", func() bool {
		for _, rec := range r.idx.live() {
			if rec.Racy() {
				return false
			}
		}
		return true
	})
	before := r.idx.Head()
	r.tree.Rescan("")
	r.fence()
	if list := r.idx.entries(before); len(list) > 0 {
		t.Errorf("journaled again: %+v", list)
	}
}

func TestFenceConcurrent(t *testing.T) { onBoth(t, testFenceConcurrent) }

func testFenceConcurrent(t *testing.T) {
	r := startTree(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				p := r.path(string(rune('a'+i)) + string(rune('0'+j)))
				if err := os.WriteFile(p, nil, 0o644); err != nil {
					t.Error(err)
					return
				}
				r.fence()
				if _, ok, _ := r.idx.Lookup(baseOf(p)); !ok {
					t.Errorf("%s is not in the index after a fence", p)
				}
			}
		})
	}
	wg.Wait()
}

func TestFenceEnds(t *testing.T) { onBoth(t, testFenceEnds) }

func testFenceEnds(t *testing.T) {
	r := startTree(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.tree.Fence(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	r.stop()
	if _, err := r.tree.Fence(context.Background()); !errors.Is(err, ErrStopped) {
		t.Errorf("after Run: %v, want ErrStopped", err)
	}
	left, err := os.ReadDir(r.o.FenceDir)
	if err != nil || len(left) > 0 {
		t.Errorf("cookies left: %v %v", left, err)
	}
}

func TestIndexFailureEndsRun(t *testing.T) { onBoth(t, testIndexFailureEndsRun) }

func testIndexFailureEndsRun(t *testing.T) {
	r := startTree(t)
	broken := errors.New("broken")
	r.idx.mu.Lock()
	r.idx.fail = broken
	r.idx.mu.Unlock()
	r.sh(`echo 1 > f`)
	<-r.tree.ended
	if err := r.stop(); !errors.Is(err, broken) {
		t.Errorf("Run returned %v", err)
	}
}

func TestExplain(t *testing.T) { onBoth(t, testExplain) }

func testExplain(t *testing.T) {
	r := startTree(t, func(r *rig) {
		r.o.Filter = mustFilter(t, "/cache/", "*.swp")
		r.sh(`mkdir -p cache/x d; echo 123 > d/f; echo 1 > d/f.swp`)
	})
	e := r.tree.Explain("d/f")
	if !e.Watched || !e.Exists || e.Type != "file" || e.Size != 4 || e.Verdict.Excluded {
		t.Errorf("d/f: %+v", e)
	}
	if e := r.tree.Explain("cache/x"); !e.Verdict.Excluded || e.Verdict.By != "cache" || e.Watched || !e.Exists {
		t.Errorf("cache/x: %+v", e)
	}
	if e := r.tree.Explain("none/x"); e.Exists || e.Error != "" {
		t.Errorf("none/x: %+v", e)
	}
}

// TestForcedChange is a write(2) that ends long after it set the time stamps:
// the record made in between already has the final fingerprint.
func TestForcedChange(t *testing.T) { onBoth(t, testForcedChange) }

func testForcedChange(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`echo 1 > f; touch -d '2001-01-01' f`) })
	r.settled()
	time.Sleep(2 * confirmAfter)
	r.settled()
	before := r.idx.Head()
	rec, ok, _ := r.idx.Lookup("f")
	if !ok {
		t.Fatal("no record")
	}
	// The event says that the content changed after the record was made, and
	// lstat says nothing.
	ev := event{name: r.path("f"), hints: hintWrite, wall: rec.ObservedAt + 1, mono: r.tree.now()}
	r.tree.events.mu.Lock()
	r.tree.events.list = append(r.tree.events.list, ev)
	r.tree.events.mu.Unlock()
	r.tree.events.signal(1)
	r.fence()
	list := r.idx.entries(before)
	if len(list) == 0 || list[len(list)-1].Path != "f" || list[len(list)-1].Flags != journal.FlagChecksum {
		t.Errorf("journaled %+v, want f with a comparison of content", list)
	}
	r.settled()
}
