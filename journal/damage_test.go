package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Tables and log of the journals that are damaged here are small, so that
// there are many.
const damageMemTable = 2 << 20

// verdict is what a child says about a damaged journal.
type verdict struct {
	Contents string // digest of what Open found
	Damage   string // *LostError or *CorruptError
	Error    string // any other
	Again    string // what went wrong after setting it aside
}

// childDamaged opens a journal and prints a verdict. It may die of it.
func childDamaged(dir string) {
	var v verdict
	j, err := Open(Options{Dir: dir})
	switch {
	case err == nil:
		v.Contents = contents(j)
		j.Close()
	case isDamage(err):
		v.Damage = err.Error()
		if _, err := SetAside(dir, time.Now()); err != nil {
			v.Again = err.Error()
		} else if j, err := Open(Options{Dir: dir}); err != nil {
			v.Again = err.Error()
		} else {
			j.Close()
		}
	default:
		v.Error = err.Error()
	}
	json.NewEncoder(os.Stdout).Encode(v)
}

// contents is a digest of every key and value but the root, which tells of
// the commits and changes when the journal is opened.
func contents(j *Journal) string {
	h := sha256.New()
	n := 0
	err := j.view(func(txn *badger.Txn) error {
		return each(txn, nil, func(key, val []byte) error {
			if !bytes.Equal(key, rootKey) {
				fmt.Fprintf(h, "%d %d %s%s", len(key), len(val), key, val)
				n++
			}
			return nil
		})
	})
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %x", n, h.Sum(nil)[:8])
}

// populate fills a journal with everything there is, over several tables and
// levels, in several versions, and leaves some of it in the log.
func populate(t testing.TB, j *Journal) {
	t.Helper()
	s := source(t, j)
	nas, dr := remote(t, s, "nas"), remote(t, s, "dr")
	path := func(d, f any) string { // hardly compressible, for the sake of many blocks
		return fmt.Sprintf("d%v/%x", d, sha256.Sum256(fmt.Append(nil, d, f)))
	}
	for round := range int64(4) {
		for d := range 50 {
			obs := []Observation{dir(fmt.Sprint("d", d), uint64(d+2))}
			for f := range 300 {
				o := file(path(d, f), uint64(1000+d*1000+f), round)
				o.State.Nlink = 1 + uint32(f%3/2)
				obs = append(obs, o)
			}
			record(t, s, obs...)
		}
		head := s.Head()
		ack(t, nas, head-2000, Range{head - 1500, head - 1000}, Range{head - 900, head - 10})
		u := Update{State: &RemoteState{Held: fmt.Sprint("round ", round)}, FullSync: &FullSync{Reason: "r", After: fmt.Sprint("d", round), Begun: true}}
		for f := range 100 {
			u.PutRetry = append(u.PutRetry, Retry{Path: path(f%50, f), Seq: head - 100, Op: OpChange, Attempts: int(round)})
		}
		commit(t, dr, u)
		ack(t, dr, head-5)
		record(t, s, gone(path(int(round)+3, int(round)+3)), gone(fmt.Sprint("d", round+10)))
		maintain(t, j)
		if round == 1 {
			flatten(t, j)
		}
	}
	commit(t, dr, Update{DelRetry: []string{path(0, 0), path(1, 1)}})
	ack(t, nas, s.Head())
	ack(t, dr, s.Head())
	maintain(t, j) // keeps tombstones for retry records
	record(t, s, file("last", 7, 0))
	if pins := len(prefixKeys(t, j, prefix(kindPin, "www"))); pins == 0 {
		t.Fatal("no tombstone is kept for a retry record")
	}
}

// flatten compacts everything down to the last level. Badger gives up where a
// compaction of ours is at work on the same tables.
func flatten(t testing.TB, j *Journal) {
	t.Helper()
	err := j.db.Flatten(1)
	for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); err = j.db.Flatten(1) {
		time.Sleep(10 * time.Millisecond)
	}
	must(t, err)
}

func prefixKeys(t testing.TB, j *Journal, pre []byte) (keys []string) {
	t.Helper()
	must(t, j.view(func(txn *badger.Txn) error {
		return each(txn, pre, func(key, _ []byte) error { keys = append(keys, string(key)); return nil })
	}))
	return keys
}

// specimen is a journal to be damaged.
type specimen struct {
	state    string // closed or killed
	dir      string
	contents string
}

// childPopulate makes the contents, spreads them over log and levels, prints
// their digest and waits to be killed.
func childPopulate(dir string) {
	memTableSize = damageMemTable
	t := childTB{}
	j, err := Open(Options{Dir: dir})
	must(t, err)
	j.grace = 0
	populate(t, j)
	s := source(t, j)
	for n := 0; levels(j)[0] < 2 || levels(j)[6] < 1; n++ {
		var obs []Observation
		for f := range uint64(200) {
			name := sha256.Sum256(fmt.Append(nil, n, f))
			obs = append(obs, file(fmt.Sprintf("more%d/%x", n, name), 100_000+f, 0))
		}
		record(t, s, obs...)
	}
	fmt.Println(contents(j))
	fmt.Println(levels(j))
	io.Copy(io.Discard, os.Stdin)
}

// childTB lets a child use the helpers of tests.
type childTB struct{ testing.TB }

func (childTB) Helper()           {}
func (childTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (childTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func specimens(t *testing.T) []specimen {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "journal")
	child, out := startChild(t, "populate", dir)
	want, err := out.ReadString('\n')
	must(t, err)
	tables, err := out.ReadString('\n')
	must(t, err)
	kill(child)
	killed := specimen{"killed", dir, strings.TrimSpace(want)}
	t.Logf("tables by level: %s contents %s", tables, want)
	closed := killed
	closed.state, closed.dir = "closed", filepath.Join(t.TempDir(), "journal")
	killed.clone(t, closed.dir)
	if v, output, err := judge(closed.dir, "damaged"); err != nil || v.Contents != killed.contents {
		t.Fatalf("%+v %v\n%s", v, err, output)
	}
	return []specimen{killed, closed}
}

func levels(j *Journal) map[int]int {
	n := map[int]int{}
	for _, t := range j.db.Tables() {
		n[t.Level]++
	}
	return n
}

// clone makes a copy for one case.
func (s specimen) clone(t *testing.T, to string) {
	t.Helper()
	must(t, os.Mkdir(to, 0o700))
	for _, name := range glob(t, s.dir+"/*") {
		must(t, copySparse(name, filepath.Join(to, filepath.Base(name))))
	}
	must(t, copySparse(sidePath(s.dir), sidePath(to)))
	adopt(t, to)
}

// injury is one kind of damage to one file.
type injury struct {
	name string
	do   func(file string) error
}

// injuries of a file whose written part ends at used.
func injuries(rng *rand.Rand, size, used int64, many bool) []injury {
	var list []injury
	spots := []int64{0, 4, 9, 20, used / 2, used - 1, used - 4, used - 6, used - 40, used - 200}
	if many {
		for range 5 {
			spots = append(spots, rng.Int64N(used))
		}
	}
	slices.Sort(spots)
	for _, at := range slices.Compact(spots) {
		if at < 0 || at >= used {
			continue
		}
		list = append(list, injury{fmt.Sprintf("flip byte %d of %d", at, used), change(at, 1, func(b []byte) { b[0] ^= 0x41 })})
	}
	for _, at := range []int64{0, used / 2 &^ 4095, (used - 1) &^ 4095} {
		list = append(list, injury{fmt.Sprintf("zero page at %d of %d", at, used), change(at, 4096, func(b []byte) { clear(b) })})
	}
	for _, to := range []int64{0, 1, used / 2, used - 1, size - 1} {
		if to >= 0 && to < size {
			list = append(list, injury{fmt.Sprintf("truncate to %d of %d", to, size), func(f string) error { return os.Truncate(f, to) }})
		}
	}
	return append(list, injury{"delete", os.Remove})
}

func change(at, n int64, fn func([]byte)) func(string) error {
	return func(file string) error {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fn(b[at:min(at+n, int64(len(b)))])
		return os.WriteFile(file, b, 0o600)
	}
}

// damageCase is one case of the table.
type damageCase struct {
	specimen
	name string
	do   func(dir string) error
}

// fileCases are all injuries of all files; of the tables some are chosen.
func (s specimen) fileCases(t *testing.T, rng *rand.Rand) []damageCase {
	t.Helper()
	var cases []damageCase
	tables := glob(t, s.dir+"/*.sst")
	rng.Shuffle(len(tables), func(i, k int) { tables[i], tables[k] = tables[k], tables[i] })
	files := tables[:min(3, len(tables))]
	for _, name := range glob(t, s.dir+"/*") {
		if filepath.Ext(name) != ".sst" {
			files = append(files, name)
		}
	}
	for _, name := range append(files, sidePath(s.dir)) {
		b, err := os.ReadFile(name)
		must(t, err)
		used := int64(len(bytes.TrimRight(b, "\x00")))
		ext := filepath.Ext(name)
		for _, in := range injuries(rng, int64(len(b)), max(used, 1), ext == ".sst" || ext == ".mem") {
			base := filepath.Base(name)
			if len(b) == 0 && in.name != "delete" {
				continue
			}
			cases = append(cases, damageCase{s, base + ": " + in.name, func(dir string) error {
				if name == sidePath(s.dir) {
					return in.do(sidePath(dir))
				}
				return in.do(filepath.Join(dir, base))
			}})
		}
	}
	return cases
}

// TestDamagedFiles damages each file in many ways, and expects the same
// contents or an error that leads to a new journal: never other contents.
// GORSYNCD_DAMAGE=all tries all cases instead of some.
func TestDamagedFiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedFromEnv(t), 7))
	var cases []damageCase
	for _, s := range specimens(t) {
		cases = append(cases, s.fileCases(t, rng)...)
	}
	all := len(cases)
	if os.Getenv("GORSYNCD_DAMAGE") != "all" {
		rng.Shuffle(all, func(i, k int) { cases[i], cases[k] = cases[k], cases[i] })
		cases = cases[:all/6]
	}
	home := t.TempDir()
	counts := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan int)
	for range 4 {
		wg.Go(func() {
			for i := range next {
				c := cases[i]
				outcome := c.run(t, filepath.Join(home, fmt.Sprint(i), "journal"))
				mu.Lock()
				counts[outcome]++
				mu.Unlock()
			}
		})
	}
	for i := range cases {
		next <- i
	}
	close(next)
	wg.Wait()
	t.Logf("%d of %d cases: %v", len(cases), all, counts)
	if counts["detected"] == 0 || counts["harmless"] == 0 {
		t.Error("the cases show nothing")
	}
}

// run returns what became of the case.
func (c damageCase) run(t *testing.T, dir string) string {
	if err := os.Mkdir(filepath.Dir(dir), 0o700); err != nil {
		t.Error(err)
		return "failed"
	}
	defer os.RemoveAll(filepath.Dir(dir))
	c.clone(t, dir)
	if err := c.do(dir); err != nil {
		t.Error(err)
		return "failed"
	}
	v, output, err := judge(dir, "damaged")
	switch name := c.state + ", " + c.name; {
	case err != nil:
		t.Errorf("%s: the process died: %v\n%.2000s", name, err, output)
		return "died"
	case v.Error != "" || v.Again != "":
		t.Errorf("%s: %s %s", name, v.Error, v.Again)
		return "failed"
	case v.Damage != "":
		return "detected"
	case v.Contents != c.contents:
		t.Errorf("%s: contents %s, want %s", name, v.Contents, c.contents)
		return "wrong"
	}
	return "harmless"
}

// judge lets a child open the journal.
func judge(dir, mode string) (v verdict, output string, err error) {
	exe, err := judgeProgram()
	if err != nil {
		return v, "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, dir)
	cmd.Env = append(os.Environ(), childEnv+"="+mode)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return v, errOut.String(), err
	}
	if err := json.NewDecoder(&out).Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return v, errOut.String(), err
	}
	return v, errOut.String(), nil
}
