package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/bench/lab"
	"gorsyncd/bench/report"
)

// level is how much is measured.
type level int

const (
	mini  level = iota // shows that it works, in seconds
	quick              // shows the order of magnitude
	whole
)

// scenario is one kind of work. run measures it and returns its section.
type scenario struct {
	name, title string
	run         func(r *rig) (*section, error)
}

// place is a file system to race on.
type place struct {
	name string // tmpfs, ext4, …
	dir  string // private, removed at the end
	// copies is where the copies are: on a file system of their own, as they are on
	// another machine, where we may mount one, else in dir.
	copies string
}

// newPlace makes a private directory in another.
func newPlace(in string) (place, error) {
	dir, err := openDir(in, "race")
	if err != nil {
		return place{}, fmt.Errorf("make directory: %w", err)
	}
	p := place{name: report.FileSystem(dir), dir: dir, copies: dir}
	if p.name != "tmpfs" || !lab.OwnsMounts() {
		return p, nil
	}
	copies := filepath.Join(dir, "copies")
	if err := os.Mkdir(copies, 0o755); err != nil {
		return p, err
	}
	if err := unix.Mount("copies", copies, "tmpfs", 0, "mode=755,nr_inodes=0"); err != nil {
		return p, os.NewSyscallError("mount", err)
	}
	p.copies = copies
	return p, nil
}

// openDir makes a directory with a name of its own, open to all as those of a web
// site are: gorsyncd gives names as arguments only where everybody may read them.
func openDir(in, name string) (string, error) {
	dir, err := os.MkdirTemp(in, name)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// apart tells whether the copies lie on a file system of their own.
func (p place) apart() bool { return p.copies != p.dir }

// remove removes it with all that is in it.
func (p place) remove() {
	if p.apart() {
		_ = unix.Unmount(p.copies, unix.MNT_DETACH) // it goes with our namespace at the latest
	}
	for range 10 { // children that die with us may still write
		if os.RemoveAll(p.dir) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// rig is what all scenarios of a run share.
type rig struct {
	o      options
	rand   *rand.Rand
	places []place // in memory first

	failures []string // rounds after which a copy of gorsyncd's was not equal
	absent   map[string]bool
	shown    bool // in miniature, peers take part in the first comparison only
	pairs    map[string]*pair
	closed   sync.Once
}

func newRig(o options) (*rig, error) {
	r := &rig{o: o, rand: rand.New(rand.NewPCG(o.seed, 0x72616365)), absent: map[string]bool{}, pairs: map[string]*pair{}}
	for _, dir := range []string{o.tmpfs, o.disk} {
		if dir == "" {
			continue
		}
		p, err := newPlace(dir)
		if p.dir != "" {
			r.places = append(r.places, p)
		}
		if err != nil {
			r.close()
			return nil, err
		}
	}
	if len(r.places) == 0 {
		return nil, fmt.Errorf("no place to race on: give -tmpfs or -disk")
	}
	return r, nil
}

// close removes everything. Idempotent.
func (r *rig) close() {
	r.closed.Do(func() {
		for _, p := range r.places {
			p.remove()
		}
	})
}

// first is the place of what is measured in one only: in memory, if there is one.
func (r *rig) first() place { return r.places[0] }

// size is a number that depends on the level.
func (r *rig) size(m, q, w int) int { return [...]int{m, q, w}[r.o.level] }

// rounds is the same for rounds, which a flag overrides.
func (r *rig) rounds(m, q, w int) int {
	if r.o.rounds > 0 {
		return r.o.rounds
	}
	return r.size(m, q, w)
}

func (r *rig) logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}

// job is one round of one racer.
type job struct {
	what string
	do   func() error
}

// shuffled runs jobs in a random order.
func (r *rig) shuffled(jobs []job) error {
	r.rand.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	for _, j := range jobs {
		r.logf("%s", j.what)
		if err := j.do(); err != nil {
			return fmt.Errorf("%s: %w", j.what, err)
		}
	}
	return nil
}

// present leaves out the racers whose program is not installed, and notes them.
// In miniature each program races in one form; flags may pick some.
func (r *rig) present(list ...*racer) []*racer {
	var out []*racer
	for _, rc := range list {
		if rc.variant && r.o.level == mini || r.o.racer != nil && !r.o.racer.MatchString(rc.name) {
			continue
		}
		if rc.program != "" {
			if _, err := exec.LookPath(rc.program); err != nil {
				r.absent[rc.program] = true
				continue
			}
		}
		out = append(out, rc)
	}
	return out
}

// pair is a tree with an equal copy, made once for all scenarios.
type pair struct{ dir, aside, src, copy string }

// pair returns it. Who changes the tree makes the copy equal again.
func (r *rig) pair(p place, t tree) (*pair, error) {
	key := fmt.Sprintf("%s %+v", p.dir, t)
	if made := r.pairs[key]; made != nil {
		return made, nil
	}
	dir, err := openDir(p.dir, "pair")
	if err != nil {
		return nil, err
	}
	aside, err := openDir(p.copies, "pair")
	if err != nil {
		return nil, err
	}
	made := &pair{dir, aside, filepath.Join(dir, "src"), filepath.Join(aside, "copy")}
	r.logf("making %d files", t.files)
	if err := t.make(made.src); err != nil {
		return nil, err
	}
	if err := copyTree(made.src, made.copy); err != nil {
		return nil, err
	}
	r.pairs[key] = made
	return made, nil
}

// drop removes the pairs, which take memory.
func (r *rig) drop() {
	for key, p := range r.pairs {
		for _, dir := range []string{p.dir, p.aside} {
			_ = os.RemoveAll(dir) // removed with its place at the latest
		}
		delete(r.pairs, key)
	}
}

// copyTree makes a copy that is equal in all that rsync -a keeps, to the
// nanosecond.
func copyTree(src, dst string) error {
	out, err := exec.Command("rsync", "-a", "--modify-window=-1", src+"/", dst+"/").CombinedOutput()
	if err != nil {
		return fmt.Errorf("copy the tree: %w: %s", err, out)
	}
	return nil
}
