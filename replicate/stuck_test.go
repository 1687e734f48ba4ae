package replicate

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFifoThatWasAFile: rsync opens a file that has become a fifo and would wait
// for ever. The worker comes free, and the path arrives as what it is.
func TestFifoThatWasAFile(t *testing.T) {
	dir := t.TempDir()
	fifo, once, slow := filepath.Join(dir, "fifo"), filepath.Join(dir, "once"), filepath.Join(dir, "rsync")
	try(t, unix.Mkfifo(fifo, 0o600))
	// The first run hangs as rsync does when it loses the race.
	script := "#!/bin/sh\nif ! [ -e " + once + " ]; then : > " + once + "; exec cat " + fifo + "; fi\nexec rsync \"$@\"\n"
	try(t, os.WriteFile(slow, []byte(script), 0o755))
	g := newRig(t, func(g *rig) { g.o.Rsync.Path = slow })
	write(t, g.src, map[string]string{"a/f": "1"})
	begin := time.Now()
	g.start().sync()
	g.equal()
	if took := time.Since(begin); took < stuckPoll || took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := os.Stat(once); err != nil {
		t.Error("nothing hung")
	}
}
