package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestScheduledFullSync: an interval fires again and again, and repairs what was changed
// on the remote.
func TestScheduledFullSync(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "d/f"), "x")
	_, r := serve(t, src, dst, "defaults: {full_sync: {schedule: '@every 2s'}}")
	r.start()
	r.flush(20 * time.Second)
	for range 2 {
		must(t, os.Remove(filepath.Join(dst, "d/f")))
		testbed.WaitEqual(t, src, dst, 30*time.Second)
	}
}
