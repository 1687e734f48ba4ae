package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"gorsyncd/journal"
)

// Index is the memory of what the tree last looked like; *journal.Source is
// one. Record is called by one goroutine only.
type Index interface {
	Record(ctx context.Context, obs []journal.Observation) ([]journal.Result, error)
	Children(dir string, fn func(name string, r journal.Record, trusted bool) error) error
	Lookup(path string) (journal.Record, bool, error)
	Head() uint64
}

// Roots remembers which directory the index describes and whether a first
// scan of it was ever complete; *journal.Source is one.
type Roots interface {
	Root() (journal.RootID, bool)
	SetRoot(ctx context.Context, id journal.RootID) error
	Recorded() time.Time
	Baseline() bool
	EndBaseline(ctx context.Context) error
}

// GuardOptions choose what holds a source. A root that is missing or no
// directory always does.
type GuardOptions struct {
	EmptySource    bool // nothing is left in the root although the index has children
	SameFilesystem bool // the root is another directory or file system and top-level names are missing
}

// Options describe one watched tree. Root, Index and Roots are required.
type Options struct {
	Root   string  // absolute; may be a symbolic link to a directory
	Filter *Filter // nil: no rules
	Index  Index
	Roots  Roots

	Settle    time.Duration // quiet time before a look; default 2 ms
	SettleMax time.Duration // longest wait after a first event; default 1 s

	// FenceDir is an existing private directory outside the tree for the
	// cookies of Fence. Without one Fence returns an error.
	FenceDir string

	Backend Backend // default BackendAuto
	Group   *Group  // shared by all trees of the process; nil: one of its own

	// AttributesLater has changes of attributes alone go along with later ones;
	// see journal.Observation.AttributesLater.
	AttributesLater bool

	Guard  GuardOptions
	Logger *slog.Logger // nil: silent
	Life   Life         // nil: nobody is told
}

// Defaults of Options.
const (
	DefaultSettle    = 2 * time.Millisecond
	DefaultSettleMax = time.Second
)

// Sentinel errors of Fence.
var (
	ErrHeld    = errors.New("source is held")     // a guard waits for the root or for Approve
	ErrStopped = errors.New("watcher is stopped") // Run has returned
)

// Tree keeps the index equal to one directory tree. See the package
// documentation. All methods may be called from any goroutine.
type Tree struct {
	o    Options
	abs  string // Options.Root, clean
	log  *slog.Logger
	base time.Time // of all durations

	events *events
	wake   chan struct{} // capacity 1: requests
	ready  chan struct{}
	ended  chan struct{}

	every time.Duration          // between rounds over what has no watch
	magic func(abs string) int64 // file system type

	// The rest up to mu belongs to the goroutine of Run.
	co        *coalescer
	pace      pace
	received  uint64 // events so far
	w         *watches
	fan       *fanotify // nil: all is left to inotify
	mounts    *mounts
	scans     scans
	ahead     readAhead
	found     found
	confirms  confirms
	spare     []event
	rootKey   fileKey
	mountID   string // of the file system at the root, "" if unknown
	rootOK    bool   // an accepted root stands behind rootKey
	heldRoot  string // reason
	lastRoot  rootStamp
	heldBelow map[string]string   // mount point, or a directory above one, to reason
	approved  map[string]struct{} // of these, accepted as they are now
	emptyOK   bool                // an empty root was approved
	polled    map[string]struct{} // subtrees that report no changes of other hosts
	fsPolled  map[uint64]bool     // by device
	again     map[string]struct{} // to be looked at in the next round
	links     map[fileKey]uint32  // inodes, with their link count, of which not all names were found
	searched  map[fileKey]uint32  // likewise, and a scan of the whole tree was made for them
	late      lateLinks           // of the scan of the whole tree under way
	flaps     map[string]int      // directories that were others when scanned, in the last second
	away      away
	doubt     doubt
	linksSeen bool            // any file has several names
	written   written         // inodes of which events told under some of their names only
	hidAt     time.Duration   // when a name that may have hidden a write was last due, see hint.hides
	takenAt   int64           // ns since 1970: events received until then are taken
	looking   map[string]hint // of the paths being looked at, if linksSeen
	nextTick  time.Duration
	nextRound time.Duration
	isReady   bool
	trouble   troubles
	// goneWatches counts watches that were gone before fsnotify dropped them.
	goneWatches uint64
	onScan      func(*scan) // for tests: a directory is about to be scanned
	noCookies   bool        // the fence directory is not watched: each fence scans the whole tree

	mu       sync.Mutex // guards the following
	requests requests
	fences   map[string]*fence
	sources  eventSource // the queues that a cookie must come out of
	status   Status
}

// New checks the options. It touches nothing yet.
func New(o Options) (*Tree, error) {
	switch {
	case !filepath.IsAbs(o.Root):
		return nil, fmt.Errorf("source root %q is not an absolute path", o.Root)
	case o.Index == nil || o.Roots == nil:
		return nil, errors.New("a watched tree needs an index")
	case o.FenceDir != "" && !filepath.IsAbs(o.FenceDir):
		return nil, fmt.Errorf("fence directory %q is not an absolute path", o.FenceDir)
	case !o.Backend.valid():
		return nil, fmt.Errorf("watch backend %q is unknown", o.Backend)
	}
	if o.Settle <= 0 {
		o.Settle = DefaultSettle
	}
	if o.SettleMax <= 0 {
		o.SettleMax = DefaultSettleMax
	}
	o.SettleMax = max(o.SettleMax, o.Settle)
	if o.Group == nil {
		o.Group = NewGroup()
	}
	if o.Life == nil {
		o.Life = nobody{}
	}
	if o.FenceDir != "" {
		o.FenceDir = filepath.Clean(o.FenceDir)
	}
	t := &Tree{
		o:      o,
		abs:    filepath.Clean(o.Root),
		log:    o.Logger,
		base:   time.Now(),
		wake:   make(chan struct{}, 1),
		ready:  make(chan struct{}),
		ended:  make(chan struct{}),
		every:  roundEvery,
		hidAt:  -hidFor,
		magic:  fsMagic,
		fences: map[string]*fence{},

		sources: fromInotify,
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.events = newEvents(t.base)
	t.pace.most = loopRest
	t.co = newCoalescer(o.Settle, o.SettleMax)
	t.w = newWatches(t.absPath)
	t.heldBelow, t.approved = map[string]string{}, map[string]struct{}{}
	t.polled, t.fsPolled = map[string]struct{}{}, map[uint64]bool{}
	t.again, t.links, t.searched = map[string]struct{}{}, map[fileKey]uint32{}, map[fileKey]uint32{}
	t.flaps = map[string]int{}
	t.confirms.reset()
	t.status = Status{Root: t.abs, State: StateStarting}
	return t, nil
}

// Ready returns a channel that is closed when the first complete scan is
// journaled.
func (t *Tree) Ready() <-chan struct{} { return t.ready }

// now is the time for scheduling; it never jumps.
func (t *Tree) now() time.Duration { return time.Since(t.base) }

// absPath is the path as fsnotify knows it.
func (t *Tree) absPath(rel string) string {
	switch {
	case rel == "":
		return t.abs
	case t.abs == "/":
		return "/" + rel
	}
	return t.abs + "/" + rel
}

// relPath is the reverse of absPath; false for paths outside the root.
func (t *Tree) relPath(abs string) (string, bool) {
	if t.abs == "/" { // fsnotify gives "//name" for what lies in "/"
		return strings.TrimLeft(abs, "/"), true
	}
	rest, ok := strings.CutPrefix(abs, t.abs)
	switch {
	case !ok:
		return "", false
	case rest == "":
		return "", true
	case rest[0] != '/':
		return "", false
	}
	return rest[1:], true
}

// Run watches and scans until ctx ends or the index fails; it returns the
// cause. It is called once.
func (t *Tree) Run(ctx context.Context) error {
	defer close(t.ended)
	watcher, err := t.openWatcher(ctx)
	if err != nil {
		return err
	}
	defer watcher.Close()
	var readers sync.WaitGroup
	readers.Go(func() { t.events.run(watcher) })
	defer readers.Wait()
	defer watcher.Close()
	if t.fan = t.openFan(); t.fan != nil {
		t.w.handles = t.fan
		defer func() { t.fan.leave(t.w.marked()) }()
	}

	t.mounts, err = openMounts(t.abs)
	if err != nil {
		return fmt.Errorf("read mount table: %w", err)
	}
	defer t.mounts.close()
	t.w.note = slowNotifier{watcher, t.o.Life}
	t.startFences(watcher)
	defer t.readers(readers.Go)()
	return t.loop(ctx)
}

// openWatcher waits for an inotify instance: their number is limited for each
// user, and one may become free.
func (t *Tree) openWatcher(ctx context.Context) (*fsnotify.Watcher, error) {
	for told := false; ; told = true {
		w, err := fsnotify.NewWatcher()
		if err == nil {
			t.mu.Lock()
			t.status.State, t.status.Held = StateStarting, ""
			t.mu.Unlock()
			return w, nil
		}
		if !told {
			t.log.Error("no inotify instance", "source", t.abs, "error", err, "hint", hintInstances)
			t.mu.Lock()
			t.status.State, t.status.Held = StateHeld, "no inotify instance: "+err.Error()
			t.status.Hints = []string{hintInstances}
			t.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(tickEvery):
		}
	}
}

// startFences watches the cookie directory and removes what a killed process
// left in it. Fences asked for before that wait for the first scan instead.
func (t *Tree) startFences(w notifier) {
	if t.o.FenceDir == "" {
		return
	}
	if err := w.Add(t.o.FenceDir); err != nil {
		t.log.Error("cannot watch the fence directory", "path", t.o.FenceDir, "error", err)
		t.noCookies = true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fan != nil {
		t.sources |= fromFanotify
	}
	stale, _ := filepath.Glob(filepath.Join(t.o.FenceDir, cookiePrefix+"*"))
	for _, p := range stale {
		if _, live := t.fences[p]; !live {
			_ = os.Remove(p) // one more or less does no harm
		}
	}
	for _, f := range t.fences {
		f.unseen = 0
	}
}
