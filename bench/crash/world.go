package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/bench/lab"
	"gorsyncd/bench/testbed"
)

// sourceName is the source's name in the configuration and in the journal.
const sourceName = "src"

// remote is one copy.
type remote struct {
	name   string
	path   string          // where the copy lies on this machine
	rsyncd *testbed.Rsyncd // nil for a local target
	module testbed.Module
	target string
	extra  string // further settings, YAML flow style: ", fsync: true"
}

// world is everything of one row.
type world struct {
	row   *row
	dir   string // logs, configuration
	bin   string
	fs    string // "dir", or the file system of the disks
	seed  uint64
	short bool       // of the short form, which runs beside other things
	rnd   *rand.Rand // the harness's choices, of its main goroutine only

	src, state string
	host       *lab.Disk // source and state directory; nil on plain directories
	stateDisk  *lab.Disk // the state directory's own, when it has one
	far        *lab.Disk // the remotes
	remotes    []*remote
	daemon     *testbed.Gorsyncd
	settings   string // the defaults of the configuration

	load   *workload
	watch  *observer
	proxy  *lab.Proxy // in front of the first remote, or nil
	link   *lab.Link  // to the first remote, or nil
	faults *os.File
	kills  int // SIGKILLs of the daemon in the present cycle

	cleanup []func()
	once    sync.Once
}

// defaults are quick to notice and to try again; nothing else differs from
// what users have.
const defaults = `guard: {max_delete: 0}, retry: {initial: 100ms, max: 1s}, rsync: {timeout: 5s, connect_timeout: 3s, args: [-X]}`

// newWorld sets a row up and starts everything.
func newWorld(r *row, dir, bin, fs string, seed uint64) (*world, error) {
	w := &world{row: r, dir: dir, bin: bin, fs: fs, seed: seed, rnd: rand.New(rand.NewPCG(seed, 7)), settings: defaults}
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		w.faults, err = os.Create(filepath.Join(dir, "faults.log"))
	}
	if err == nil {
		err = w.disks()
	}
	if err == nil {
		err = w.daemons()
	}
	if err == nil && r.setup != nil {
		err = r.setup(w)
	}
	if err == nil {
		err = w.configure()
	}
	if err == nil {
		w.load, err = newWorkload(w)
	}
	unix.Sync() // what stands before the first fault is there to stay
	if err == nil {
		err = w.start()
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("set up %s: %w", r.name, err)
	}
	w.watch = newObserver(w)
	return w, nil
}

// disks makes the directories, on disks of their own where a file system is
// asked for.
func (w *world) disks() error {
	host, far := filepath.Join(w.dir, "host"), filepath.Join(w.dir, "far")
	w.src, w.state = filepath.Join(host, "src"), filepath.Join(host, "state")
	if w.fs != "dir" {
		mb := 400
		if w.fs == "btrfs" {
			mb = 700 // it gives space away in large pieces, and the journal keeps 128 MiB free
		}
		var err error
		if w.host, err = w.disk("host", w.fs, mb); err != nil {
			return err
		}
		mb = 300
		if w.row.farMB > 0 {
			mb = w.row.farMB
		}
		if w.far, err = w.disk("far", w.fs, mb); err != nil {
			return err
		}
		host, far = w.host.Path, w.far.Path
		w.src, w.state = filepath.Join(host, "src"), filepath.Join(host, "state")
		if w.row.split {
			if w.stateDisk, err = w.disk("state", w.fs, 400); err != nil {
				return err
			}
			w.state = filepath.Join(w.stateDisk.Path, "state")
		}
	}
	for _, name := range []string{"daemon", "local"} {
		w.remotes = append(w.remotes, &remote{name: name, path: filepath.Join(far, name)})
	}
	for _, d := range []string{w.src, w.remotes[0].path, w.remotes[1].path} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) disk(name, fs string, mb int) (*lab.Disk, error) {
	d, err := lab.NewDisk(lab.DiskOptions{Dir: w.dir, Name: name, FS: fs, MB: mb, Inodes: w.row.inodes})
	if err != nil {
		return nil, err
	}
	w.later(func() { d.Close() })
	return d, nil
}

// daemons starts the remotes.
func (w *world) daemons() error {
	r := w.remotes[0]
	dir := filepath.Join(w.dir, "rsyncd")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	r.module = testbed.Module{Name: "m", Path: r.path}
	var err error
	if r.rsyncd, err = testbed.NewRsyncd(dir, r.module); err != nil {
		return err
	}
	w.later(r.rsyncd.Stop)
	r.target = r.rsyncd.Target("m")
	w.remotes[1].target = w.remotes[1].path
	return nil
}

// configure writes the configuration.
func (w *world) configure() error {
	yaml := fmt.Sprintf("defaults: {%s}\nsources:\n  - path: %q\n    name: %s\n    remotes:\n", w.settings, w.src, sourceName)
	for _, r := range w.remotes {
		yaml += fmt.Sprintf("      - {name: %s, target: %q%s}\n", r.name, r.target, r.extra)
	}
	var err error
	if w.daemon, err = testbed.NewGorsyncdIn(w.bin, w.dir, w.state, yaml); err != nil {
		return err
	}
	w.daemon.Env = []string{"GORSYNCD_LOG_LEVEL=debug"}
	return nil
}

// start starts the daemon. One that dies before it answers, as a crash may
// make it, is started again, as a service manager would.
func (w *world) start() error {
	var err error
	for range 8 {
		if !w.daemon.Ended() {
			return nil
		}
		if err = w.daemon.Spawn(); err != nil {
			return err
		}
		if err = w.daemon.WaitAnswer(30 * time.Second); err == nil {
			return nil
		}
		w.fault("start failed: %v", err)
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// kill is a SIGKILL to the daemon, which is counted.
func (w *world) kill() error {
	if !w.daemon.Ended() {
		w.kills++
	}
	return w.daemon.Kill9()
}

// later has fn run at the end, last first.
func (w *world) later(fn func()) { w.cleanup = append(w.cleanup, fn) }

func (w *world) close() {
	w.once.Do(func() {
		if w.load != nil {
			w.load.stop()
		}
		if w.watch != nil {
			w.watch.stop()
		}
		if w.daemon != nil {
			w.daemon.Stop()
		}
		for i := len(w.cleanup) - 1; i >= 0; i-- {
			w.cleanup[i]()
		}
		if w.faults != nil {
			w.faults.Close()
		}
	})
}

// fault notes what was injected.
func (w *world) fault(format string, args ...any) {
	fmt.Fprintf(w.faults, "%s %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}

// after waits a random time up to the limit.
func (w *world) after(least, most time.Duration) {
	time.Sleep(least + time.Duration(w.rnd.Int64N(int64(most-least)+1)))
}

var errDiverged = errors.New("the copies differ")
