package replicate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// errStalled is why the context of a child ended that did nothing any more.
var errStalled = errors.New("rsync does nothing any more")

// stallTimeouts is after how many of its own timeouts rsync is taken for stuck.
// It ends by itself after one, unless it hangs in a system call, such as reading
// from a dead file system. For fifos see endStuck.
const stallTimeouts = 3

// endStalled derives a context that ends with errStalled when a child has read
// and written nothing for a time; 0 is never. Only the child itself counts: an
// ssh that it started shows signs of life by itself. release must be called; it
// returns when the context does not change any more.
func endStalled(ctx context.Context, pid int, limit time.Duration) (watched context.Context, release func()) {
	watched, cancel := context.WithCancelCause(ctx)
	if limit <= 0 {
		return watched, func() { cancel(nil) }
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(limit / 10)
		defer tick.Stop()
		last, since := "", time.Now()
		for {
			select {
			case <-done:
				return
			case now := <-tick.C:
				moved, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
				if s := string(moved); err != nil || s != last {
					last, since = s, now // not being able to tell is no reason
				} else if now.Sub(since) >= limit {
					cancel(errStalled)
					return
				}
			}
		}
	})
	return watched, func() { close(done); wg.Wait(); cancel(nil) }
}
