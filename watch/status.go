package watch

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// States of a tree.
const (
	StateStarting = "starting" // the root was not judged yet
	StateScanning = "scanning" // a scan of the whole tree is under way; events are watched too
	StateWatching = "watching"
	StateHeld     = "held" // see Held; if only a mount point is held the rest goes on
)

const (
	hintQueue     = "raise the kernel's event queue: sysctl -w fs.inotify.max_queued_events=131072"
	hintInstances = "raise the number of inotify instances: sysctl -w fs.inotify.max_user_instances=1024"
	sampleSize    = 10
)

// Status is what a tree is doing. Counters are since New.
type Status struct {
	Root            string    `json:"root"`
	State           string    `json:"state"`
	Held            string    `json:"held,omitempty"`      // the reason
	Dirs            int       `json:"dirs"`                // known directories that are not excluded
	Backend         string    `json:"backend"`             // inotify, fanotify, or mixed
	Fallbacks       []string  `json:"fallbacks,omitempty"` // why inotify is used, where it was not asked for
	Marked          int       `json:"marked"`              // directories whose events come by a mark of their file system
	Watches         int       `json:"watches"`             // by a watch of their own
	WatchLimit      int       `json:"watch_limit"`         // of all processes of the user; 0: unknown
	Unwatched       int       `json:"unwatched"`           // directories without a watch, scanned from time to time
	UnwatchedSample []string  `json:"unwatched_sample,omitempty"`
	Overflows       uint64    `json:"overflows"`    // times that events were lost and the tree was scanned
	WatchErrors     uint64    `json:"watch_errors"` // paths that could not be looked at or watched
	Events          uint64    `json:"events"`
	Coalesced       uint64    `json:"events_coalesced"` // of these, what a look that was due anyway covered
	Looks           uint64    `json:"looks"`            // paths observed because of events
	Scans           uint64    `json:"scans"`            // complete scans of the whole tree
	ScanDirs        uint64    `json:"scan_dirs"`        // directories scanned by the present or last of these
	Hints           []string  `json:"hints,omitempty"`
	LastScan        time.Time `json:"last_scan,omitzero"`
}

// Status returns a snapshot.
func (t *Tree) Status() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.status
	s.UnwatchedSample = slices.Clone(s.UnwatchedSample)
	s.Fallbacks = slices.Clone(s.Fallbacks)
	s.Hints = slices.Clone(s.Hints)
	return s
}

// publish updates the snapshot from what the loop owns.
func (t *Tree) publish() {
	c := t.w.counts
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.status
	s.Dirs, s.Watches, s.Marked = c[unwatched]+c[watched]+c[aliased]+c[marked], c[watched], c[marked]
	s.Backend = t.inUse()
	if s.Unwatched != c[unwatched] || s.WatchLimit == 0 {
		s.Unwatched = c[unwatched]
		s.UnwatchedSample = t.w.unwatchedPaths(sampleSize)
		s.WatchLimit = readLimit("max_user_watches")
	}
	s.ScanDirs = t.scans.dirs
	s.State, s.Held = t.state()
	s.Hints = t.hints(s)
}

func (t *Tree) state() (state, held string) {
	for _, reason := range t.heldBelow {
		state, held = StateHeld, reason
	}
	switch {
	case t.heldRoot != "":
		return StateHeld, t.heldRoot
	case held != "":
		return state, held
	case !t.rootOK:
		return StateStarting, ""
	case t.scans.full != nil:
		return StateScanning, ""
	}
	return StateWatching, ""
}

func (t *Tree) hints(s *Status) []string {
	var list []string
	if s.Unwatched > 0 && s.Unwatched+s.Watches >= s.WatchLimit/2 {
		want := max(2*(s.WatchLimit+s.Unwatched), 524288)
		list = append(list, fmt.Sprintf("raise the limit of watches: sysctl -w fs.inotify.max_user_watches=%d", want))
	}
	if s.Overflows > 0 && s.Backend != string(BackendFanotify) { // that one has no limit but memory
		list = append(list, hintQueue)
	}
	if len(t.polled) > 0 {
		list = append(list, "changes made by other hosts are found by a scan from time to time: this file system reports only those of this host")
	}
	return list
}

// readLimit reads a sysctl of inotify, 0 if it cannot.
func readLimit(name string) int {
	text, err := os.ReadFile("/proc/sys/fs/inotify/" + name)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return n
}

// fsMagic returns the type of the file system, 0 if it cannot.
func fsMagic(abs string) int64 {
	var fs unix.Statfs_t
	if unix.Statfs(abs, &fs) != nil {
		return 0
	}
	return int64(fs.Type)
}

// Explanation tells how a tree treats one path.
type Explanation struct {
	Path    string    `json:"path"`
	Verdict Verdict   `json:"verdict"`
	Watched bool      `json:"watched"` // events of this path arrive
	Held    string    `json:"held,omitempty"`
	Exists  bool      `json:"exists"`
	Error   string    `json:"error,omitempty"` // why that is not known
	Type    string    `json:"type,omitempty"`
	Size    int64     `json:"size"`
	Mtime   time.Time `json:"mtime,omitzero"`
}

// Explain looks at a path, relative to the root, now.
func (t *Tree) Explain(path string) Explanation {
	e := Explanation{Path: path}
	st, err := t.lstat(path)
	switch {
	case err == nil:
		s := stateOf(st, 0)
		e.Exists, e.Size, e.Mtime = true, s.Size, time.Unix(0, s.Mtime)
		e.Type = typeName(s.Type)
	case !isGone(err):
		e.Error = pathError("stat", t.absPath(path), err).Error()
	}
	e.Verdict = t.o.Filter.Match(path, e.Type == typeName(journal.Dir))
	t.mu.Lock()
	if t.status.State == StateHeld {
		e.Held = t.status.Held
	}
	t.mu.Unlock()
	t.w.mu.RLock()
	defer t.w.mu.RUnlock()
	n := t.w.find(dirOf(path))
	e.Watched = n != nil && n.state != unwatched && !e.Verdict.Excluded
	return e
}

func (t *Tree) lstat(path string) (*unix.Stat_t, error) {
	root, err := openRoot(t.abs)
	if err != nil {
		return nil, err
	}
	defer root.close()
	if path == "" {
		return &root.st, nil
	}
	dir, err := root.open(dirOf(path))
	if err != nil {
		return nil, err
	}
	defer dir.close()
	var st unix.Stat_t
	return &st, fstatat(dir.fd, baseOf(path), &st)
}

func typeName(t journal.Type) string {
	return [...]string{"gone", "file", "directory", "symlink", "fifo", "socket", "character device", "block device"}[t]
}
