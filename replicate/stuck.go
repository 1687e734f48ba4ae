package replicate

import (
	"os"
	"strconv"
	"sync"
	"time"
)

// stuckPoll is how often a run is looked at that may be stuck. Two looks in a
// row have to agree.
const stuckPoll = time.Second

// fifoWait is where the kernel waits in open(2) of a fifo that nobody has open
// at its other end.
const fifoWait = "wait_for_partner"

// endStuck ends the group of a leader that hangs in open(2) of a fifo. rsync
// opens what was a regular file when it looked; if a fifo has taken its name
// since, it waits for a writer, past every --timeout. Opening the other end
// would free it, and whoever else waits there. The returned function is called
// when the leader has been waited for and tells whether it was ended. Where
// the kernel does not say where a process waits nothing is found. Nobody looks
// before begun is closed, unless it is nil.
func endStuck(pgid int, begun <-chan struct{}) (stop func() bool) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	ended := false
	wg.Go(func() {
		if begun != nil {
			select {
			case <-done:
				return
			case <-begun:
			}
		}
		poll := time.NewTicker(stuckPoll)
		defer poll.Stop()
		for was := false; ; {
			select {
			case <-done:
				return
			case <-poll.C:
			}
			is := waitsIn(pgid, fifoWait)
			if is && was {
				ended = true
				endGroup(pgid, done)
				return
			}
			was = is
		}
	})
	return func() bool {
		close(done)
		wg.Wait()
		return ended
	}
}

func waitsIn(pid int, where string) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/wchan")
	return err == nil && string(b) == where
}
