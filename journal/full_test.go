package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// smallDisk mounts a new file system of that size on a file.
func smallDisk(t *testing.T, kind string, size int64, options ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test mounts a file system of its own: run it as root")
	}
	file, dir := filepath.Join(t.TempDir(), "disk"), t.TempDir()
	must(t, os.WriteFile(file, nil, 0o600))
	must(t, os.Truncate(file, size))
	command(t, "mkfs."+kind, append(options, "-q", file)...)
	command(t, "mount", "-o", "loop", file, dir)
	t.Cleanup(func() { command(t, "umount", dir) })
	return dir
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// fill takes all space that is left on the file system, at once.
func fill(t *testing.T, dir string) {
	t.Helper()
	for n := 0; n < 1000; n++ {
		free, _, err := freeSpace(dir)
		must(t, err)
		size := int64(free)
		if size < 64<<10 {
			size = 4 << 10
		}
		// bits of what is said to be free are kept for metadata
		for ; size >= 4<<10; size /= 2 {
			if exec.Command("fallocate", "-l", fmt.Sprint(size), filepath.Join(dir, fmt.Sprint("filler", n))).Run() == nil {
				break
			}
		}
		if size < 4<<10 {
			return
		}
	}
}

// unfill removes the filler and waits until its space is free.
func unfill(t *testing.T, dir string, want uint64) {
	t.Helper()
	for _, f := range glob(t, dir+"/filler*") {
		must(t, os.Remove(f))
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		command(t, "sync", "-f", dir) // xfs and btrfs give space back later
		if free, _, err := freeSpace(dir); err != nil || free >= want {
			must(t, err)
			return
		} else if time.Now().After(end) {
			t.Fatalf("%d bytes free after the filler is gone", free)
		}
	}
}

// diskKinds are file systems with what makes a small one.
var diskKinds = map[string][]string{"ext4": {"-m", "0"}, "xfs": nil, "btrfs": nil}

// TestDiskFilledDuringCommits has another process take all space at once
// while commits are made, again and again. The process may die of it; nothing
// acknowledged may be lost. GORSYNCD_FILL_ROUNDS says how often.
func TestDiskFilledDuringCommits(t *testing.T) {
	rounds := 3
	if v := os.Getenv("GORSYNCD_FILL_ROUNDS"); v != "" {
		var err error
		rounds, err = strconv.Atoi(v)
		must(t, err)
	}
	rng := rand.New(rand.NewPCG(seedFromEnv(t), 3))
	for kind, options := range diskKinds {
		t.Run(kind, func(t *testing.T) {
			disk := smallDisk(t, kind, 500<<20, options...)
			o := Options{Dir: filepath.Join(disk, "journal")}
			known := &acknowledged{latest: map[string]uint64{}}
			outcomes := map[string]int{}
			for range rounds {
				outcomes[fillRound(t, rng, disk, o, known)]++
			}
			t.Logf("%d rounds, %d operations: %v", rounds, known.ops, outcomes)
			if known.ops == 0 {
				t.Error("nothing was acknowledged")
			}
		})
	}
}

// worker is a child that works on a journal and tells what was acknowledged.
type worker struct {
	cmd    *exec.Cmd
	errOut bytes.Buffer
	ended  chan struct{} // its output has ended
}

func startWorker(t *testing.T, rng *rand.Rand, dir string, known *acknowledged) *worker {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	w := &worker{cmd: exec.Command(exe, dir, fmt.Sprint(rng.Uint64())), ended: make(chan struct{})}
	w.cmd.Env = append(os.Environ(), childEnv+"=crash")
	w.cmd.Stderr = &w.errOut
	out, err := w.cmd.StdoutPipe()
	must(t, err)
	must(t, w.cmd.Start())
	go func() {
		defer close(w.ended)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var op crashOp
			if json.Unmarshal(lines.Bytes(), &op) != nil {
				return // cut by the end
			}
			known.take(op)
		}
	}()
	return w
}

// end waits a while for the worker to die, kills it, and says which it was.
func (w *worker) end(patience time.Duration) (outcome string) {
	outcome = "lived"
	select {
	case <-w.ended:
		outcome = "died"
	case <-time.After(patience):
	}
	w.cmd.Process.Kill()
	<-w.ended
	_ = w.cmd.Wait() // it was killed, or died as told
	if outcome == "died" && !strings.Contains(w.errOut.String(), "SIGBUS") {
		outcome = "failed"
	}
	return outcome
}

func fillRound(t *testing.T, rng *rand.Rand, disk string, o Options, known *acknowledged) (outcome string) {
	t.Helper()
	w := startWorker(t, rng, o.Dir, known)
	time.Sleep(time.Duration(300+rng.IntN(1500)) * time.Millisecond)
	fill(t, disk)
	outcome = w.end(200 * time.Millisecond)
	// With the disk still full a start must wait, not die.
	if died, text := tryOpen(t, o.Dir); died {
		t.Errorf("opening on a full disk died:\n%.1000s", text)
	}
	unfill(t, disk, 2*minFreeBytes)
	j := reopen(t, o)
	known.verify(t, source(t, j))
	closeChecked(t, j)
	return outcome
}

// tryOpen opens the journal in a child.
func tryOpen(t *testing.T, dir string) (died bool, text string) {
	t.Helper()
	v, text, err := judge(dir, "open")
	if err != nil {
		return true, text
	}
	if v.Damage != "" || v.Error != "" && !strings.Contains(v.Error, ErrNoSpace.Error()) {
		t.Errorf("opening on a full disk: %+v", v)
	}
	return false, ""
}
