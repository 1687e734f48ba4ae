package replicate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"gorsyncd/journal"
)

// Feed is the journal's side of one source that a remote reads from.
// *journal.Source implements it.
type Feed interface {
	Head() uint64
	// Changed is closed at the next new entry; it is fetched before reading.
	Changed() <-chan struct{}
	// Entries returns at most limit entries with seq >= from, in order.
	Entries(from uint64, limit int) ([]journal.Entry, error)
}

// Tree is the index of the source. *journal.Source implements it.
type Tree interface {
	// Dirs lists directories in index order, strictly after `after` if begun, until
	// their weight reaches the limit.
	Dirs(after string, begun bool, limit journal.Weight) ([]string, journal.Weight, error)
	// Weigh adds up what is at and below sub, and behind `after` if begun.
	Weigh(sub, after string, begun bool) (journal.Weight, error)
	// Siblings are the live names of a hard-linked inode.
	Siblings(dev, ino uint64) ([]string, error)
	LinkGroups(fn func(paths []string) error) error
}

// Store is the durable state of one remote. *journal.Remote implements it. An
// error of Commit ends Run: it is the journal's trouble, not the remote's.
type Store interface {
	Cursor() journal.Cursor
	Retries() ([]journal.Retry, error)
	FullSync() *journal.FullSync
	State() journal.RemoteState
	Commit(ctx context.Context, u journal.Update) error
}

var (
	_ Feed  = (*journal.Source)(nil)
	_ Tree  = (*journal.Source)(nil)
	_ Store = (*journal.Remote)(nil)
)

// ErrPasswordFile is wrapped by errors of RsyncOptions.CheckPassword.
var ErrPasswordFile = errors.New("password_file")

// rooted is what a Tree may also tell: which directory the source root was
// when its index was made. A root that is another one is not replicated.
type rooted interface {
	Root() (journal.RootID, bool)
}

// indexed is what a Tree may also tell: whether the index knows a path. Then
// a full sync finds out what it sent and nobody journaled.
type indexed interface {
	Lookup(path string) (journal.Record, bool, error)
	// Unknown returns those of paths that Lookup does not find.
	Unknown(paths []string) ([]string, error)
}

var (
	_ rooted  = (*journal.Source)(nil)
	_ indexed = (*journal.Source)(nil)
)

// DeleteMode says which removals a remote follows.
type DeleteMode uint8

const (
	DeleteTracked DeleteMode = iota // what the source is known to have had and lost
	DeleteNone                      // nothing
	DeleteAll                       // also, in a full sync, what the source never had
)

// Defaults of Options.
const (
	DefaultWorkers    = 2
	DefaultBatchFiles = 5000
	DefaultBatchBytes = 64 << 20
	DefaultBigFile    = 64 << 20
	DefaultInitial    = time.Second
	DefaultMax        = 5 * time.Minute
	DefaultJitter     = 0.2
	DefaultTimeout    = 60 * time.Second
	DefaultConnect    = 10 * time.Second

	// window is how many entries of the journal are held in memory.
	window = 20000
	// chunkDirs is how many directories of a few files each one reconcile covers.
	chunkDirs = 20
)

// Options of a Dispatcher.
type Options struct {
	Source, Name string // the remote is shown as Source/Name
	Root         string // absolute path of the source root
	Target       Target
	Feed         Feed
	Tree         Tree
	Store        Store

	// RunLock is a file, in a directory of ours, that keeps the rsyncs of a
	// killed process apart from those of the next; "" for none. See alone.
	RunLock string

	// Excluded tells whether the filter leaves a path out; nil excludes
	// nothing. FilterArgs are rsync arguments that mean the same.
	Excluded   func(path string, isDir bool) bool
	FilterArgs []string

	Workers    int   // rsync processes at once
	BatchFiles int   // paths per batch
	BatchBytes int64 // bytes per batch
	BigFile    int64 // regular files above this size travel alone

	// NoEmptyDirs has directories sent with something in them only; see empty.go.
	NoEmptyDirs bool

	Delete    DeleteMode
	MaxDelete uint64 // removals journaled within a minute that hold the remote; 0 = no guard

	// Window is when batches may start; nil is always.
	Window *Window

	Rsync RsyncOptions
	Retry RetryOptions

	// Ready is closed when the source's first scan is journaled: until then
	// no full sync starts. nil means ready.
	Ready <-chan struct{}
	// Held tells whether a guard takes what the source shows for doubtful:
	// then no full sync goes on. It is called from several goroutines and must
	// not wait. nil means never.
	Held func() bool
	// Fence returns the seq at or below which everything is journaled that was
	// changed before the call, for Verify; watch.Tree has one. nil means that
	// the head of the journal is that at any time.
	Fence func(ctx context.Context) (uint64, error)
	// Scratch is a private directory for what a probe sends; it is made and
	// removed as needed. "" never probes.
	Scratch string
	// Slots are shared with other remotes; see RsyncOptions.Warm.
	Slots Slots
	// Clock is the one that the entries of Feed are dated by; nil for the wall clock.
	Clock Clock
	// Observer is told of what becomes of the remote; nil for nobody.
	Observer Observer
	// Meter counts what the remote does; nil for nobody.
	Meter  Meter
	Logger *slog.Logger // nil is silent
	Life   Life         // nil: nobody is told

	transport      transport // tests replace rsync
	argsFrom       int       // bytes of a list from which on it may become arguments
	verifyPatience time.Duration
	window         int // entries of the journal that are held in memory
}

// RsyncOptions shape the rsync command line.
type RsyncOptions struct {
	Path           string        // "" for rsync in PATH
	Args           []string      // the user's own, such as -A or -X
	Timeout        time.Duration // without any traffic
	ConnectTimeout time.Duration
	Compress       bool
	BWLimit        *BWLimit
	Fsync          bool   // the receiver syncs each file that it writes to disk
	PasswordFile   string // daemons only
	// CheckPassword tells before each run whether PasswordFile may be used; an
	// error says why not. nil leaves that to rsync.
	CheckPassword func(path string) error
	Umask         int // of rsync; 0 for that of this process
	Warm          int // processes that are kept connected for small changes while a remote is active
	SSH           SSHOptions
	// Connect is a program with arguments whose stdin and stdout are the
	// connection to a target by way of TLS. rsync adds words of its own, which it
	// has to leave alone. No shell sees it.
	Connect []string
}

// SSHOptions shape the ssh command line.
type SSHOptions struct {
	Port         int // 0 for ssh's own choice
	IdentityFile string
	ConfigFile   string
	KnownHosts   string
	Options      []string // each a KEY=VALUE as for ssh -o
	RRsync       bool     // the key runs rrsync; for targets of Kind Shell
	// ControlDir is a private directory for the sockets of shared
	// connections; "" or a path too long for a socket shares none.
	ControlDir string
}

// RetryOptions are the back-off of paths and of the whole remote.
type RetryOptions struct {
	Initial, Max time.Duration
	Jitter       float64 // 0 to 1: part of the delay that is random, both ways
}

func (o *Options) setDefaults() {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&o.Workers, DefaultWorkers)
	def(&o.BatchFiles, DefaultBatchFiles)
	def(&o.argsFrom, minArgList)
	def(&o.window, window)
	for p, v := range map[*int64]int64{&o.BatchBytes: DefaultBatchBytes, &o.BigFile: DefaultBigFile} {
		if *p <= 0 {
			*p = v
		}
	}
	for p, v := range map[*time.Duration]time.Duration{
		&o.Rsync.Timeout: DefaultTimeout, &o.Rsync.ConnectTimeout: DefaultConnect,
		&o.Retry.Initial: DefaultInitial, &o.Retry.Max: DefaultMax,
	} {
		if *p <= 0 {
			*p = v
		}
	}
	o.Retry.Max = max(o.Retry.Max, o.Retry.Initial)
	if o.Rsync.Path == "" {
		o.Rsync.Path = "rsync"
	}
	if o.Clock == nil {
		o.Clock = wallClock{}
	}
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	if o.Meter == nil {
		o.Meter = unmetered{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Life = o.life()
}

func (o *Options) validate() error {
	switch {
	case o.Feed == nil || o.Tree == nil || o.Store == nil:
		return errors.New("feed, tree and store are required")
	case !filepath.IsAbs(o.Root):
		return fmt.Errorf("source root %q is not absolute", o.Root)
	case o.Target.Kind == 0:
		return fmt.Errorf("%w: none given", ErrTarget)
	case o.Target.Via == TLS && len(o.Rsync.Connect) == 0:
		return fmt.Errorf("%w: nothing connects to %s", ErrTarget, o.Target)
	case o.Target.Kind == Local && overlap(filepath.Clean(o.Root), o.Target.Path):
		return fmt.Errorf("target %s and source %s overlap", o.Target.Path, o.Root)
	case o.Retry.Jitter < 0 || o.Retry.Jitter > 1:
		return fmt.Errorf("retry jitter %v is not within 0 and 1", o.Retry.Jitter)
	}
	return checkArgs(o.Rsync.Args)
}

// overlap compares real paths where they exist, so that a symlink hides nothing.
func overlap(a, b string) bool {
	real := func(p string) string {
		if r, err := filepath.EvalSymlinks(p); err == nil {
			return strings.Trim(r, "/")
		}
		return strings.Trim(p, "/")
	}
	a, b = real(a), real(b)
	return a == b || isBelow(a, b) || isBelow(b, a)
}
