package replicate

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestStalledChildIsEnded(t *testing.T) {
	begin := time.Now()
	e := process{argv: []string{"sleep", "60"}, stall: 300 * time.Millisecond}.run(t.Context())
	if !e.stalled || e.canceled || time.Since(begin) > 20*time.Second {
		t.Errorf("%+v after %v", e, time.Since(begin))
	}
	e = process{argv: []string{"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; echo x; done"}, stdout: io.Discard, stall: 700 * time.Millisecond}.run(t.Context())
	if e.stalled || e.code != 0 {
		t.Errorf("a busy child: %+v", e)
	}
}

// TestFIFOInTheWay: a file becomes a FIFO after rsync has looked at it. rsync
// waits for a writer for ever, whatever its timeout; the run ends.
func TestFIFOInTheWay(t *testing.T) {
	g := newRig(t, targets["daemon"])
	randomFile(t, filepath.Join(g.src, "a"), 6<<20) // keeps rsync busy for some seconds
	write(t, g.src, map[string]string{"b": "x"})
	o := g.o
	o.Rsync.BWLimit, o.Rsync.Timeout = limitOf(1500<<10), 2*time.Second
	o.setDefaults()
	go func() {
		time.Sleep(time.Second)
		_ = os.Remove(filepath.Join(g.src, "b"))
		_ = syscall.Mkfifo(filepath.Join(g.src, "b"), 0o600)
	}()
	begin := time.Now()
	res := newRsyncTransport(&o).Run(t.Context(), &Batch{Lane: LaneTop, Paths: []string{"a", "b"}}, Send)
	if res.Outcome.ID != idChanged || res.Outcome.Class != ClassEntry || time.Since(begin) > 60*time.Second {
		t.Errorf("%+v after %v", res, time.Since(begin))
	}
}
