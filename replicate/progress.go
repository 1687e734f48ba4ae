package replicate

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"gorsyncd/journal"
)

const (
	// maxOpen bounds how many descriptors of an rsync are looked at. It has about ten.
	maxOpen = 64
	// rateSpan is over how long a rate is taken, if it is asked for so often.
	rateSpan = time.Second
)

// FileProgress is the file that an rsync has open.
type FileProgress struct {
	Path string `json:"path"` // relative to the source
	Size int64  `json:"size_bytes"`
	Done int64  `json:"done_bytes"` // read of it so far, at most size_bytes
}

// progress tells how far the rsync of one batch is. The sending rsync is always
// our own child, to a local target as well: its receiver is the child of it. So
// the kernel can be asked how much it has read and where in which file it is,
// and that costs nothing while nobody asks. Only /proc is read, which does not
// touch the file and does not wait for its file system; the size of the file is
// what the index says.
//
// What is read is ahead of what has arrived by rsync's buffers: 256 KiB at most,
// and what the connection holds. With --checksum all files are read once before the
// first is sent: that is not counted.
//
// Safe for concurrent use; a nil progress knows nothing.
type progress struct {
	tree   indexed // nil: no sizes
	prefix string  // of the directory that the run is about, "" for the root
	hashes bool    // rsync reads all files to compare them, and then what differs
	own    child   // for the runs that no spare carries

	mu     sync.Mutex
	at     *child // the one at work; nil before there is one
	before int64  // bytes that those before it were seen to have read
	seen   int64  // bytes that it was seen to have read
	older  amount // for the rate
	newer  amount
}

// amount is how much had been read at a moment.
type amount struct {
	at    time.Time
	bytes int64
}

// child is a process of ours while it can be looked at. Who looks keeps it from
// being waited for, so that its id is its own meanwhile.
type child struct {
	mu   sync.Mutex
	pid  int      // 0 when there is none
	root *os.File // where it began, which is open while pid is set
}

// begin and end are nil-safe: not every process is watched.
func (c *child) begin(pid int, root *os.File) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid, c.root = pid, root
}

func (c *child) end() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid, c.root = 0, nil
}

// look is what /proc says of a child: the bytes that it has read, from wherever,
// and the file below its root that it has open, with the position in it; "" for
// none.
func (c *child) look() (read int64, file string, pos int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid == 0 || c.root == nil {
		return 0, "", 0
	}
	proc := "/proc/" + strconv.Itoa(c.pid)
	read = number(proc+"/io", "rchar:")
	root, err := os.Readlink(fdPath(c.root))
	if err != nil {
		return read, "", 0
	}
	file, pos = openBelow(proc, strings.TrimSuffix(root, "/")+"/")
	return read, file, pos
}

// openBelow finds the descriptor of a file below a directory. A directory has no
// position that would say anything, and a file without its name has none to show.
func openBelow(proc, dir string) (file string, pos int64) {
	fds, err := os.Open(proc + "/fd")
	if err != nil {
		return "", 0
	}
	defer fds.Close()
	list, _ := fds.Readdirnames(maxOpen) // what could be read of it
	for _, fd := range list {
		path, err := os.Readlink(proc + "/fd/" + fd)
		if err != nil || !strings.HasPrefix(path, dir) || strings.HasSuffix(path, " (deleted)") {
			continue
		}
		if pos := number(proc+"/fdinfo/"+fd, "pos:"); pos > 0 {
			return path[len(dir):], pos
		}
	}
	return "", 0
}

// number reads the value of a key from a file of /proc; 0 when there is none.
func number(file, key string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(rest)), 10, 64)
			if err != nil {
				return 0
			}
			return max(0, n)
		}
	}
	return 0
}

// newProgress is that of a batch that is about to start.
func (d *Dispatcher) newProgress(b *Batch, now time.Time) *progress {
	p := &progress{older: amount{at: now}, newer: amount{at: now}}
	p.tree, _ = d.o.Tree.(indexed)
	if b.move != nil {
		p.prefix, _ = b.passage.dirs()
	}
	p.hashes = b.Lane == LaneReconcile && b.Content || b.Lane == LaneMove && !b.Content
	return p
}

// turnTo says which process is at work from now on.
func (p *progress) turnTo(c *child) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.before, p.seen = c, p.before+p.seen, 0
}

// take is the child for a process that is started for the batch; nil for nobody
// to look at it.
func (p *progress) take() *child {
	if p == nil {
		return nil
	}
	p.turnTo(&p.own)
	return &p.own
}

// fill looks now and fills in how far s is. It must not be called by the actor:
// it reads files and the index.
func (p *progress) fill(s *BatchStatus, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == nil {
		return
	}
	read, file, pos := p.at.look()
	p.seen = max(p.seen, read)
	s.Current = p.current(file, pos)
	done := p.before + p.seen
	switch {
	case p.hashes:
		done = max(0, done-s.Bytes)
	case s.Current != nil:
		done = max(done, s.Current.Done)
	}
	s.BytesDone = min(done, s.Bytes)
	if now.Sub(p.newer.at) >= rateSpan {
		p.older, p.newer = p.newer, amount{now, done}
	}
	if span := now.Sub(p.older.at).Seconds(); span > 0 {
		s.Rate = float64(max(0, done-p.older.bytes)) / span
	}
}

func (p *progress) current(file string, pos int64) *FileProgress {
	if file == "" || p.tree == nil {
		return nil
	}
	path := join(p.prefix, file)
	rec, ok, err := p.tree.Lookup(path)
	if err != nil || !ok || rec.Type != journal.File {
		return nil
	}
	return &FileProgress{Path: path, Size: rec.Size, Done: min(pos, rec.Size)}
}

// Progress fills in how far the rsyncs in flight are, and a full sync with them, as
// of now: Status leaves that out, since it costs some reading in /proc for each of
// them. Any goroutine may call it with its own copy of a Status.
func (s *Status) Progress(now time.Time) {
	var done int64
	flights := make([]BatchStatus, len(s.InFlight)) // the copy of others is theirs
	for i, b := range s.InFlight {
		if b.progress != nil {
			b.progress.fill(&b, now)
		}
		flights[i] = b
		if b.full {
			done += b.BytesDone
		}
	}
	s.InFlight = flights
	if s.FullSync != nil {
		f := *s.FullSync
		f.advance(done)
		s.FullSync = &f
	}
}

// String keeps what is behind a pointer out of messages.
func (f *FileProgress) String() string {
	if f == nil {
		return "none"
	}
	return fmt.Sprintf("%q %d/%d", f.Path, f.Done, f.Size)
}
