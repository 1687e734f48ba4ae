package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestWindow: outside of its window a remote waits and says so, and a reload that
// opens the window brings everything over.
func TestWindow(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "before"), "1")
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	// Twelve hours from now, whatever the time is, for an hour.
	closed := time.Now().Add(12 * time.Hour)
	window := func(spans string) string {
		return oneRemote(src, d.Target("m"), "defaults:\n  window: "+spans)
	}
	r := newRig(t, window(fmt.Sprintf("%q", closed.Format("15:04")+"-"+closed.Add(time.Hour).Format("15:04"))))
	r.start()
	st := r.waitState("src/r", "waiting", 10*time.Second)
	write(t, filepath.Join(src, "later"), "1")
	out, errOut, code := r.cli("flush", "--timeout", "1s")
	if code != 3 {
		t.Errorf("flush: exit %d\n%s%s", code, out, errOut)
	}
	contains(t, errOut, "outside of its window, which opens")
	out, _, _ = r.cli("explain", filepath.Join(src, "later"))
	contains(t, out, "waiting")
	out, _, _ = r.cli("status")
	contains(t, out, "outside of its window, opens in 11h")
	if diff, err := testbed.DiffTrees(src, dst, testbed.Options{}); err != nil || len(diff) < 2 {
		t.Errorf("something was sent: %v %q, %+v", err, diff, st)
	}
	r.setConfig(window(`["Mon-Sun 00:00-24:00"]`))
	contains(t, r.mustCLI("reload"), "src/r: window changed; its full sync goes on")
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}
