package journal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// crashOp is one operation of the crash workload, and what came of it.
type crashOp struct {
	Kind  string   // record, ack, maintain, drop
	Paths []string `json:",omitempty"`
	Seqs  []uint64 `json:",omitempty"` // per path, 0 when there was no difference
	Low   uint64   `json:",omitempty"`
	Done  bool     // false before the operation, true when it was acknowledged
}

func seedFromEnv(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv("GORSYNCD_SEED"); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("GORSYNCD_SEED=%d", seed)
	return seed
}

// childCrash works on a journal until it is killed and tells what it is about
// to do and what was acknowledged.
func childCrash(dir, seed string) {
	n, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		panic(err)
	}
	j, err := Open(Options{Dir: dir, Ballast: 1 << 30}) // much of a small file system
	if err != nil {
		panic(err)
	}
	s, err := j.Source("www")
	if err != nil {
		panic(err)
	}
	r, err := s.Remote("nas")
	if err != nil {
		panic(err)
	}
	rng := rand.New(rand.NewPCG(n, 1))
	say := json.NewEncoder(os.Stdout)
	for {
		op := crashOp{Kind: "record"}
		var obs []Observation
		switch k := rng.IntN(20); {
		case k == 0:
			op.Kind = "maintain"
		case k == 1:
			op.Kind, obs = "drop", crashObservations(rng)
		case k < 6:
			op.Kind, op.Low = "ack", r.Cursor().Low+rng.Uint64N(s.Head()-r.Cursor().Low+1)
		default:
			obs = crashObservations(rng)
			for _, o := range obs {
				op.Paths = append(op.Paths, o.Path)
			}
		}
		say.Encode(op)
		err = patiently(func() error {
			switch op.Kind {
			case "record":
				res, err := s.Record(context.Background(), obs[len(op.Seqs):])
				for _, x := range res {
					op.Seqs = append(op.Seqs, x.Seq)
				}
				return err
			case "ack":
				return r.Commit(context.Background(), Update{Cursor: &Cursor{Low: op.Low}})
			case "drop":
				return dropAnother(j, obs)
			}
			return j.Maintain(context.Background())
		})
		if err != nil {
			panic(err)
		}
		op.Done = true
		say.Encode(op)
	}
}

// dropAnother drops a source that has been in use a moment.
func dropAnother(j *Journal, obs []Observation) error {
	ctx := context.Background()
	s, err := j.Source("another")
	if err != nil {
		return err
	}
	if _, err := s.Remote("nas"); err != nil {
		return err
	}
	if _, err := s.Record(ctx, obs); err != nil {
		return err
	}
	if err := s.DropRemote(ctx, "nas"); err != nil {
		return err
	}
	return j.DropSource(ctx, "another")
}

// patiently repeats what fails for lack of space, as the daemon does.
func patiently(fn func() error) error {
	for {
		err := fn()
		if !errors.Is(err, ErrNoSpace) && !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// crashObservations change, create and remove among 20 directories of 50
// files.
func crashObservations(rng *rand.Rand) []Observation {
	d := rng.IntN(20)
	obs := []Observation{dir(fmt.Sprint("d", d), uint64(d+2))}
	if rng.IntN(15) == 0 {
		return []Observation{gone(obs[0].Path)}
	}
	for range 1 + rng.IntN(60) {
		o := file(fmt.Sprint("d", d, "/f", rng.IntN(50)), rng.Uint64N(1e6)+100, rng.Int64N(1e6))
		if rng.IntN(4) == 0 {
			o = gone(o.Path)
		}
		o.State.Nlink *= 1 + rng.Uint32N(2)
		obs = append(obs, o)
	}
	return obs
}

// acknowledged is what the parent knows to be durable.
type acknowledged struct {
	latest   map[string]uint64 // newest acknowledged entry of a path
	head     uint64
	low      uint64
	inFlight crashOp // begun and not acknowledged
	ops      int
}

func (a *acknowledged) take(op crashOp) {
	if !op.Done {
		a.inFlight = op
		return
	}
	a.inFlight = crashOp{}
	a.ops++
	a.low = max(a.low, op.Low)
	for i, seq := range op.Seqs {
		if seq > 0 {
			a.latest[op.Paths[i]] = seq
			a.head = max(a.head, seq)
		}
	}
}

// verify compares a reopened journal with what was acknowledged. The
// operation in flight may have happened or not.
func (a *acknowledged) verify(t *testing.T, s *Source) {
	t.Helper()
	head, low := s.Head(), remote(t, s, "nas").Cursor().Low
	if head < a.head || a.inFlight.Kind != "record" && head != a.head {
		t.Errorf("head is %d, acknowledged %d, in flight %q", head, a.head, a.inFlight.Kind)
	}
	if low != a.low && !(a.inFlight.Kind == "ack" && low == a.inFlight.Low) {
		t.Errorf("cursor is %d, acknowledged %d", low, a.low)
	}
	present := map[uint64]string{}
	newest := map[string]uint64{}
	for _, e := range entries(t, s) {
		present[e.Seq] = e.Path
		newest[e.Path] = e.Seq
	}
	for p, seq := range a.latest {
		if seq > low && present[seq] != p && newest[p] <= a.head {
			t.Errorf("entry %d of %s was acknowledged and is lost", seq, p)
		}
	}
	for p, seq := range newest { // what is above was in flight
		if seq > a.latest[p] {
			a.latest[p] = seq
		}
	}
	a.head, a.low, a.inFlight = head, low, crashOp{}
}

// TestKilled kills a process that works on a journal, again and again.
// GORSYNCD_CRASH_ROUNDS says how often.
func TestKilled(t *testing.T) {
	rounds := 5
	if v := os.Getenv("GORSYNCD_CRASH_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	seed := seedFromEnv(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	o := Options{Dir: filepath.Join(t.TempDir(), "journal")}
	known := &acknowledged{latest: map[string]uint64{}}
	for range rounds {
		cmd, out := startChild(t, "crash", o.Dir, fmt.Sprint(rng.Uint64()))
		time.AfterFunc(time.Duration(50+rng.IntN(400))*time.Millisecond, func() { cmd.Process.Kill() })
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var op crashOp
			if err := json.Unmarshal(lines.Bytes(), &op); err != nil {
				break // cut by the kill
			}
			known.take(op)
		}
		kill(cmd)
		j := reopen(t, o)
		known.verify(t, source(t, j))
		closeChecked(t, j)
	}
	t.Logf("%d operations acknowledged, head %d", known.ops, known.head)
	if known.ops == 0 {
		t.Error("nothing was acknowledged")
	}
}

// A table that was being built when the process died is no damage: Badger
// does not know it yet.
func TestUnfinishedTableIsNoDamage(t *testing.T) {
	dir := crashed(t)
	must(t, os.WriteFile(filepath.Join(dir, "000099.sst"), make([]byte, 10_000), 0o600))
	equal(t, "head", source(t, reopen(t, Options{Dir: dir})).Head(), 6)
}
