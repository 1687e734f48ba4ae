package replicate

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal/failpoint"
)

// maxSpareList is the longest list, in bytes, that a spare is given. The kernel
// writes so much to a pipe as a whole or not at all (POSIX, PIPE_BUF): cut off by
// a kill in the middle, the last name could be that of something else, which
// would be removed on the remote.
const maxSpareList = 4096

// spare is an rsync that has connected to the remote and waits for its list on
// stdin. It has read nothing of the source: rsync looks at each name as it reads
// it. Its end without a list, when stdin is closed or we are killed, is that of
// an empty list, which changes nothing.
type spare struct {
	kind spareKind
	like *Batch // what its command line was made for

	// Set when it has been started, by the pool and under its lock.
	key   string // see spareKey; "" before
	place string // of a local target
	root  unix.Stat_t
	eye   *mountEye

	feed   *os.File // write end of its stdin
	out    handover
	begun  chan struct{} // closed when it was given its list
	ctx    context.Context
	cancel context.CancelFunc
	born   time.Time
	once   sync.Once
	done   chan struct{} // closed when it has ended, after exit is set
	exit   exited
	watch  child
}

// spareKind is what distinguishes batches that one spare cannot serve both.
type spareKind struct {
	lane     Lane
	removes  bool
	existing bool
}

// spareKind tells whether a batch is one that spares are kept for: small
// changes, as they come one by one.
func (b *Batch) spareKind() (spareKind, bool) {
	ok := (b.Lane == LaneList || b.Lane == LaneTop) && !b.Content && !b.tidy && b.chunk == nil && b.each == nil && !(b.gentle && b.Removes)
	return spareKind{b.Lane, b.Removes, b.existing}, ok
}

// spareKey tells whether a spare was started as a run would be.
func spareKey(p *process) string {
	return fmt.Sprint(p.walled, p.umask, p.secret, "\x00", strings.Join(p.argv, "\x00"))
}

// newSpare returns one that is not started, and the end of its stdin to start it
// with.
func newSpare(kind spareKind, like *Batch) (*spare, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &spare{
		kind: kind, like: like, feed: w, begun: make(chan struct{}), ctx: ctx, cancel: cancel, born: time.Now(), done: make(chan struct{}),
	}, r, nil
}

// fits tells whether a spare sees what a run started now would see: the same
// root, the same target, and the same mounts. Where mounts are private, what is
// mounted later does not appear in the namespace of a spare, and it would take
// what is below for what is there.
func (sp *spare) fits(root *os.File, place string) bool {
	var st unix.Stat_t
	if err := unix.Fstat(int(root.Fd()), &st); err != nil {
		return false
	}
	select {
	case <-sp.done:
		return false
	default:
	}
	return st.Dev == sp.root.Dev && st.Ino == sp.root.Ino && place == sp.place && !sp.eye.changed()
}

// use gives a spare its list and waits for its end. It returns false, and the
// list has reached nobody, when the spare had ended.
func (sp *spare) use(ctx context.Context, p *process) (exited, bool) {
	failpoint.Hit("replicate.spare.before")
	sp.out.attach(p.stdout)
	stop := context.AfterFunc(ctx, sp.cancel)
	defer stop()
	defer sp.cancel()
	if _, err := sp.feed.Write(p.stdin); err != nil {
		sp.end()
		<-sp.done
		return exited{}, false
	}
	failpoint.Hit("replicate.spare.given")
	close(sp.begun)
	sp.feed.Close()
	<-sp.done
	return sp.exit, true
}

// end has a spare end that is not used: by itself, which a daemon logs as the
// run of an empty list, or else by force. It does not wait.
func (sp *spare) end() {
	sp.once.Do(func() {
		sp.feed.Close()
		late := time.AfterFunc(spareGrace, sp.cancel)
		context.AfterFunc(sp.ctx, func() { late.Stop() })
	})
}
