package journal

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// failureRounds is how often each of these tests breaks something.
const failureRounds = 3

// settled reopens a journal after a failure: all that was acknowledged must be
// there, or be said to be lost, and then a new journal must take its place.
func settled(t *testing.T, o Options, known *acknowledged) (outcome string) {
	t.Helper()
	j, err := Open(o)
	if isDamage(err) {
		if _, err := SetAside(o.Dir, time.Now()); err != nil {
			t.Fatal(err)
		}
		*known = acknowledged{latest: map[string]uint64{}, ops: known.ops}
		closeChecked(t, reopen(t, o))
		return "told"
	}
	must(t, err)
	must(t, j.Close())
	j = reopen(t, o)
	known.verify(t, source(t, j))
	closeChecked(t, j)
	return "whole"
}

// TestInodesExhausted takes all inodes at once. A compaction that cannot make
// a file may drop its input: that must be told.
func TestInodesExhausted(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedFromEnv(t), 4))
	disk := smallDisk(t, "ext4", 500<<20, "-m", "0", "-N", "600")
	o := Options{Dir: filepath.Join(disk, "journal")}
	known := &acknowledged{latest: map[string]uint64{}}
	outcomes := map[string]int{}
	for range failureRounds {
		w := startWorker(t, rng, o.Dir, known)
		time.Sleep(time.Duration(200+rng.IntN(1000)) * time.Millisecond)
		fillers := filepath.Join(disk, "fillers")
		must(t, os.Mkdir(fillers, 0o700))
		for n := 0; ; n++ {
			f, err := os.Create(filepath.Join(fillers, fmt.Sprint(n)))
			if err != nil {
				break
			}
			f.Close()
		}
		outcomes[w.end(500*time.Millisecond)]++
		if died, text := tryOpen(t, o.Dir); died {
			t.Errorf("opening without inodes died:\n%.1000s", text)
		}
		must(t, os.RemoveAll(fillers))
		outcomes[settled(t, o, known)]++
	}
	t.Logf("%d operations: %v", known.ops, outcomes)
}

// TestNoMoreFiles takes the file descriptors away from a process at work.
func TestNoMoreFiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedFromEnv(t), 5))
	o := Options{Dir: filepath.Join(t.TempDir(), "journal")}
	known := &acknowledged{latest: map[string]uint64{}}
	outcomes := map[string]int{}
	for range failureRounds {
		w := startWorker(t, rng, o.Dir, known)
		time.Sleep(time.Duration(200+rng.IntN(1000)) * time.Millisecond)
		command(t, "prlimit", "--pid", fmt.Sprint(w.cmd.Process.Pid), "--nofile=3:3")
		outcome := w.end(20 * time.Second)
		if outcome != "failed" {
			t.Errorf("without file descriptors the process %s:\n%.1000s", outcome, w.errOut.String())
		}
		outcomes[outcome]++
		outcomes[settled(t, o, known)]++
	}
	t.Logf("%d operations: %v", known.ops, outcomes)
}

// TestDiskFails puts the disk on a file that cannot grow any more, so that
// writing it fails. That is fatal to the process, not to what it acknowledged.
func TestDiskFails(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test mounts a file system of its own: run it as root")
	}
	rng := rand.New(rand.NewPCG(seedFromEnv(t), 6))
	known := &acknowledged{latest: map[string]uint64{}}
	outcomes := map[string]int{}
	for range failureRounds {
		below, disk := t.TempDir(), t.TempDir()
		command(t, "mount", "-t", "tmpfs", "-o", "size=700m", "tmpfs", below)
		file := filepath.Join(below, "disk")
		must(t, os.WriteFile(file, nil, 0o600))
		must(t, os.Truncate(file, 600<<20))
		command(t, "mkfs.ext4", "-q", "-m", "0", file)
		command(t, "mount", "-o", "loop", file, disk)
		t.Cleanup(func() { command(t, "umount", "-l", below) })
		t.Cleanup(func() { command(t, "umount", "-l", disk) })
		*known = acknowledged{latest: map[string]uint64{}, ops: known.ops}
		w := startWorker(t, rng, filepath.Join(disk, "journal"), known)
		time.Sleep(time.Duration(300+rng.IntN(500)) * time.Millisecond)
		fill(t, below)
		outcome := w.end(30 * time.Second)
		if outcome == "lived" {
			t.Errorf("the process goes on with a disk that fails")
		}
		outcomes[outcome]++
		unfill(t, below, 1<<20)

		// What reached the disk, as another machine would find it.
		after, found := filepath.Join(t.TempDir(), "after"), t.TempDir()
		command(t, "cp", "--sparse=always", file, after)
		// Repairs are its exit status 1.
		if out, err := exec.Command("e2fsck", "-fy", after).CombinedOutput(); err != nil && !strings.Contains(err.Error(), "exit status 1") {
			t.Fatalf("e2fsck: %v\n%s", err, out)
		}
		command(t, "mount", "-o", "loop", after, found)
		t.Cleanup(func() { command(t, "umount", "-l", found) })
		outcomes[settled(t, Options{Dir: filepath.Join(found, "journal")}, known)]++
	}
	t.Logf("%d operations: %v", known.ops, outcomes)
}
