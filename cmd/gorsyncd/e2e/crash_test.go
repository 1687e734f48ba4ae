package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestKillNine kills the daemon at random moments during heavy change, starts
// it again each time, and expects equal trees at the end.
// GORSYNCD_KILLS sets the number of kills (20).
func TestKillNine(t *testing.T) {
	t.Parallel()
	kills := 20
	if v := os.Getenv("GORSYNCD_KILLS"); v != "" {
		var err error
		kills, err = strconv.Atoi(v)
		must(t, err)
	}
	base := t.TempDir()
	src, dst1, dst2 := mkdir(t, base, "src"), mkdir(t, base, "dst1"), mkdir(t, base, "dst2")
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst1})
	r := newRig(t, `
defaults: {retry: {initial: 200ms, max: 2s}, guard: {max_delete: 0}}
sources:
  - path: `+src+`
    name: src
    remotes:
      - {name: daemon, target: "`+d.Target("m")+`"}
      - {name: disk, target: `+dst2+`}
`)
	n := seed(t)
	rnd := rand.New(rand.NewPCG(n, 1))
	churn := testbed.NewChurn(src, n)
	churn.Steps(200)

	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				churn.Steps(5)
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
	for range kills {
		r.spawn()
		time.Sleep(time.Duration(10+rnd.IntN(1500)) * time.Millisecond)
		r.kill9()
	}
	close(stop)
	wg.Wait()

	r.start()
	r.flush(90 * time.Second)
	testbed.WaitEqual(t, src, dst1, 5*time.Second)
	testbed.WaitEqual(t, src, dst2, 5*time.Second)
	r.waitSync(10 * time.Second)
	noLeftovers(t, dst1)
	noLeftovers(t, dst2)
}

var tempName = regexp.MustCompile(`^\..+\.[A-Za-z0-9]{6}$`)

// noLeftovers: tree equality already says so; this names what it is.
func noLeftovers(t *testing.T, dir string) {
	t.Helper()
	must(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if tempName.MatchString(info.Name()) || info.Name() == ".gorsyncd-partial" {
			t.Errorf("left behind: %s", path)
		}
		return nil
	}))
}

// TestKillNineSendsOnlyWhatDiffered: after a crash with a quiet tree a restart
// costs next to nothing on the wire, and changes made meanwhile cost what they
// weigh, not a walk of the tree.
func TestKillNineSendsOnlyWhatDiffered(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	for i := range 2000 {
		write(t, filepath.Join(src, "d"+strconv.Itoa(i%40), "file"+strconv.Itoa(i)), strings.Repeat("x", 500))
	}
	// An rsync that waits for work ends after it, and so does its line in the log.
	r := newRig(t, oneRemote(src, d.Target("m"), "defaults: {warm: 0}"))
	r.start()
	r.flush(60 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)

	before := wireBytes(t, d)
	r.kill9()
	r.start()
	r.flush(20 * time.Second)
	quiet := wireBytes(t, d) - before

	r.kill9()
	write(t, filepath.Join(src, "d1", "changed"), strings.Repeat("y", 10_000))
	must(t, os.Remove(filepath.Join(src, "d2", "file2")))
	must(t, os.Rename(filepath.Join(src, "d3", "file3"), filepath.Join(src, "d4", "moved")))
	before = wireBytes(t, d)
	r.start()
	r.flush(20 * time.Second)
	changed := wireBytes(t, d) - before
	testbed.WaitEqual(t, src, dst, time.Second)

	t.Logf("on the wire: %d bytes for a quiet restart, %d for three changes", quiet, changed)
	// A walk of these 2,000 files costs rsync over 60,000 bytes of names.
	if quiet > 2_000 {
		t.Errorf("a restart with nothing changed put %d bytes on the wire", quiet)
	}
	if changed < 10_000 || changed > 20_000 { // the new file alone has 10,000
		t.Errorf("a restart with three changes put %d bytes on the wire", changed)
	}
	if doc := r.status().remote(t, "src/r"); doc.FullSync != nil {
		t.Errorf("a full sync after a restart: %+v", doc.FullSync)
	}
}

var transferLine = regexp.MustCompile(`sent ([0-9,]+) bytes  received ([0-9,]+) bytes`)

// wireBytes adds up what the rsync daemon says it has sent and received. Its
// line about a transfer comes when that process ends, after its client's end.
func wireBytes(t *testing.T, d *testbed.Rsyncd) (total int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for strings.Count(d.Log(), " rsync to ") != len(transferLine.FindAllString(d.Log(), -1)) {
		if time.Now().After(deadline) {
			t.Fatalf("transfers that do not end:\n%s", tail(d.Log(), 2000))
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, m := range transferLine.FindAllStringSubmatch(d.Log(), -1) {
		for _, s := range m[1:] {
			n, err := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
			must(t, err)
			total += n
		}
	}
	return total
}

// TestChangesWhileDown: what happens with no daemon running arrives after the
// start, by the scan alone.
func TestChangesWhileDown(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	d, r := serve(t, src, dst, "defaults: {guard: {max_delete: 0}}")
	churn := testbed.NewChurn(src, seed(t))
	churn.Steps(300)
	write(t, filepath.Join(src, "restored"), "content")
	r.start()
	r.flush(30 * time.Second)
	for range 3 {
		r.stop()
		churn.Steps(100)
		restored := filepath.Join(src, "restored")
		must(t, os.RemoveAll(restored)) // the churn may have made anything of it
		write(t, restored, "CONTENT")
		r.start()
		r.flush(30 * time.Second)
		testbed.WaitEqual(t, src, dst, time.Second)
		if doc := r.status().remote(t, "src/r"); doc.FullSync != nil {
			t.Errorf("a full sync: %+v", doc.FullSync)
		}
		if !strings.Contains(d.Log(), "sent") {
			t.Fatal("the daemon's log shows no transfer")
		}
	}
}
