package watch

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestFenceWhereLinksNeverEnd: files with a name outside of the tree appear all
// the time, each of which is searched for. A fence waits for those that were
// there before it.
func TestFenceWhereLinksNeverEnd(t *testing.T) { onBoth(t, testFenceWhereLinksNeverEnd) }

func testFenceWhereLinksNeverEnd(t *testing.T) {
	r := newRig(t)
	outside := t.TempDir()
	for i := range 300 {
		if err := os.Mkdir(filepath.Join(r.root, "d"+strconv.Itoa(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.waitReady()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			name := "f" + strconv.Itoa(i)
			file := filepath.Join(r.root, "d"+strconv.Itoa(i%300), name)
			if os.WriteFile(filepath.Join(outside, name), nil, 0o600) != nil || os.Link(filepath.Join(outside, name), file) != nil {
				t.Error("no link")
				return
			}
		}
	})
	time.Sleep(50 * time.Millisecond)
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := r.tree.Fence(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
}
