package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"gorsyncd/bench/lab"
)

func TestMain(m *testing.M) {
	if err := lab.OwnMounts(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestUnmountReachesEverywhere: an rsync that runs in a namespace of its own
// keeps no disk of another world alive.
func TestUnmountReachesEverywhere(t *testing.T) {
	pool, err := lab.NewDisk(lab.DiskOptions{Dir: t.TempDir(), Name: "pool", FS: "xfs", MB: 1024})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	d, err := lab.NewDisk(lab.DiskOptions{Dir: pool.Path, Name: "d", FS: "btrfs", MB: 256})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	// As package replicate makes it.
	other := exec.Command("unshare", "--mount", "--propagation", "slave", "sh", "-c", "echo; exec sleep 1000")
	out, err := other.StdoutPipe()
	if err == nil {
		err = other.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	defer other.Process.Kill()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	// Of btrfs nothing can be mounted that is mounted elsewhere still.
	img, err := d.SnapFrozen()
	if err == nil {
		err = d.Restore(img)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestShort injects a fault of every row. GORSYNCD_SEED replays one run; the
// long form is `make crash`.
func TestShort(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "gorsyncd")
	build := exec.Command("go", "build", "-tags", "failpoints", "-o", bin, "gorsyncd/cmd/gorsyncd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build gorsyncd: %v\n%s", err, out)
	}
	// Not t.TempDir: sockets have short paths, and a failure keeps its world.
	worlds, err := os.MkdirTemp("", "crash")
	if err != nil {
		t.Fatal(err)
	}
	o := options{bin: bin, rows: "all", dir: worlds, n: 1, lanes: 6, short: true, seed: rand.Uint64N(1 << 40)}
	if v := os.Getenv("GORSYNCD_SEED"); v != "" {
		if o.seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed: GORSYNCD_SEED=%d", o.seed)
	if err := o.main(); err != nil {
		t.Fatal(err)
	}
}

func TestPick(t *testing.T) {
	if _, err := pick("kill,nonsense"); err == nil {
		t.Error("an unknown row is no error")
	}
	got, err := pick("power-remote*")
	if err != nil || len(got) != 2 {
		t.Errorf("%d rows, %v", len(got), err)
	}
	seen := map[string]bool{}
	for _, r := range rows() {
		if seen[r.name] || r.what == "" || r.inject == nil {
			t.Errorf("row %q is doubled or incomplete", r.name)
		}
		seen[r.name] = true
	}
}
