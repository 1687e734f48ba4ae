package replicate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// transport carries batches to a remote. Run may be called concurrently for
// batches whose locks do not conflict. It returns only when whatever it
// started has ended, also when ctx ends.
type transport interface {
	Run(ctx context.Context, b *Batch, mode Mode) Result
	// Keep prepares for another batch like one that has arrived.
	Keep(b *Batch)
	// Rest gives up what Keep has prepared.
	Rest()
	// Close gives up all that is kept between runs.
	Close()
}

// Result is what one run came to.
type Result struct {
	Outcome Outcome
	Exit    int
	Stderr  string
	// Changes are all that a Verify would do. Of a Send they are only what the
	// journal may know nothing of: see Batch.wants.
	Changes  []Change
	Sent     int64 // bytes on the wire
	Received int64
	Files    uint64 // regular files sent
	Size     int64  // of those, in full
	Deleted  uint64
	Listed   uint64 // paths looked at that are no directories
	Duration time.Duration
	// RootDirty says that something directly below the root was made, replaced
	// or removed, which changes the root's mtime.
	RootDirty bool
	Warm      bool   // a spare carried it
	place     string // where a local target is, see placeOf; "" for others
	// cut are the exit and stderr of runs that a further one has made up for: they
	// may have left something behind.
	cut []Result
}

// rsyncTransport runs one rsync per batch.
type rsyncTransport struct {
	o      *Options
	alone  alone
	wall   wall
	spares *spares
}

func newRsyncTransport(o *Options) *rsyncTransport {
	t := &rsyncTransport{o: o, alone: alone{path: o.RunLock, far: o.Target.Kind != Local}}
	t.spares = newSpares(t)
	return t
}

func (t *rsyncTransport) Keep(b *Batch) { t.spares.keep(b) }
func (t *rsyncTransport) Rest()         { t.spares.rest() }

var _ transport = (*rsyncTransport)(nil)

func (t *rsyncTransport) Run(ctx context.Context, b *Batch, mode Mode) Result {
	begin := time.Now()
	p := process{umask: t.o.Rsync.Umask, stall: stallTimeouts * t.o.Rsync.Timeout, env: rsyncEnv()}
	place, leave, refused := t.enter(ctx, b, &p)
	if refused.Class != "" {
		return Result{Exit: -1, Outcome: refused}
	}
	defer leave()
	res := Result{place: place}
	runs, err := t.invocations(b)
	if err != nil {
		return Result{Exit: -1, Outcome: sourceGone(err)}
	}
	for _, in := range runs {
		if !t.invoke(ctx, b, mode, in, p, &res) {
			break
		}
	}
	res.Duration = time.Since(begin)
	return res
}

// enter opens and checks what a run needs, the place of a local target included,
// and puts it into p. leave gives it up.
func (t *rsyncTransport) enter(ctx context.Context, b *Batch, p *process) (place string, leave func(), refused Outcome) {
	if p.lock, refused = t.alone.enter(ctx); refused.Class != "" {
		return "", nil, refused
	}
	// The handle, not the path: whatever happens to the path now, rsync reads
	// the directory that was checked.
	root, err := openRoot(t.o)
	if err != nil {
		return "", nil, sourceGone(err)
	}
	if root, err = b.enterMoved(root); err != nil {
		root.Close()
		return "", nil, Outcome{ID: idChanged, Class: ClassEntry, Message: err.Error()}
	}
	if refused = t.checkPassword(); refused.ID == "" {
		p.dest, place, refused = t.enterLocal(b.place)
	}
	if refused.ID != "" {
		root.Close()
		return "", nil, refused
	}
	p.root = root
	p.place, p.secret = place, t.secretFile()
	return place, func() {
		root.Close()
		if p.dest != nil {
			p.dest.Close()
		}
	}, Outcome{}
}

// invoke runs one rsync and adds what came of it to res. It tells whether
// another may follow. What fails because of a spare, or because spares take up
// the room that the remote has, is done once more without any. The far side of
// a connection that was cut gets a moment then to notice it: two runs at once
// on one path would leave the older state.
func (t *rsyncTransport) invoke(ctx context.Context, b *Batch, mode Mode, in invocation, p process, res *Result) bool {
	before := *res
	out, sp := t.attempt(ctx, b, mode, in, p, t.mayUseSpare(b, mode, &in), res)
	t.forget(out)
	stale := sp != nil && out.mayBeStale()
	if sp != nil {
		t.spares.proved(sp, !stale)
	}
	switch {
	case stale:
		before.cut = append(before.cut, Result{Exit: sp.exit.code, Stderr: sp.exit.stderr})
	case out.ID == "E-BUSY" && t.spares.makeRoom(ctx):
	default:
		return out.Class == ClassOK || out.Class == ClassEntry
	}
	*res = before
	sleep(ctx, farEnd)
	out, _ = t.attempt(ctx, b, mode, in, p, false, res)
	return out.Class == ClassOK || out.Class == ClassEntry
}

// mayUseSpare tells whether an invocation is one that spares are kept for.
func (t *rsyncTransport) mayUseSpare(b *Batch, mode Mode, in *invocation) bool {
	_, ok := b.spareKind()
	return ok && mode == Send && in.removal == nil
}

// mayBeStale tells whether the outcome of a spare may be that of its waiting.
func (o Outcome) mayBeStale() bool {
	return o.Class == ClassTransient && o.ID != "E-NOSPACE" && o.ID != "E-SOURCE" || o.Class == ClassConfig
}

// attempt is one process of invoke, a spare if one may be used and is there.
func (t *rsyncTransport) attempt(ctx context.Context, b *Batch, mode Mode, in invocation, p process, spareToo bool, res *Result) (Outcome, *spare) {
	var sum totals
	note := func(c Change) {
		if b.each != nil {
			b.each(c)
			return
		}
		res.Changes = append(res.Changes, c)
	}
	p.stdout = &lines{fn: func(s string) {
		if c, ok := in.batch.change(s); ok {
			res.RootDirty = res.RootDirty || c.dirtiesRoot()
			if b.tidy && !(c.Delete && tempName.MatchString(c.Path[strings.LastIndexByte(c.Path, '/')+1:])) {
				return
			}
			if mode == Verify || b.wants(c) {
				note(c)
			}
			return
		}
		if c, ok := t.inTheWay(s); ok && mode == Verify {
			note(c)
		}
		if in.removal == nil || !in.removal.stays(s) {
			sum.read(s)
		}
	}}
	e, sp := t.runInside(ctx, b, p, in, mode, spareToo)
	res.Warm = res.Warm || sp != nil
	res.Stderr += e.stderr
	res.Sent, res.Received = res.Sent+sum.sent, res.Received+sum.received
	res.Files, res.Size, res.Deleted = res.Files+sum.files, res.Size+sum.size, res.Deleted+sum.deleted
	if !(in.batch.existing && in.batch.Lane == LaneReconcile) { // another run lists them, too
		res.Listed += sum.listed
	}
	out := t.outcome(e, &sum)
	if in.removal != nil {
		out = in.removal.tell(out, mode, res)
	}
	if res.Outcome.Class == "" || out.Class != ClassOK && out.Class != ClassEntry || res.Outcome.Class == ClassOK {
		res.Exit, res.Outcome = e.code, out
	}
	return out, sp
}

// runInside runs rsync such that nothing leads it out of the source.
func (t *rsyncTransport) runInside(ctx context.Context, b *Batch, p process, in invocation, mode Mode, spareToo bool) (exited, *spare) {
	prepare := func() {
		walled, args := t.wall.way(t.o, b, p.root)
		p.walled, p.argv = walled, in.argv(t.o, mode, args)
		if p.stdin = in.list; in.byArgs {
			p.stdin = nil
		}
	}
	if spareToo {
		long := in.byArgs
		in.byArgs = false // a spare takes its list from stdin
		prepare()
		if sp := t.spares.take(&p, p.place); sp != nil {
			b.progress.turnTo(&sp.watch)
			if e, used := sp.use(ctx, &p); used {
				return e, sp
			}
		}
		in.byArgs = long
	}
	prepare()
	p.watch = b.progress.take()
	e := p.run(ctx)
	if in.byArgs && errors.Is(e.err, unix.E2BIG) { // the limit of the stack is a low one
		in.byArgs = false
		prepare()
		e = p.run(ctx)
	}
	if errors.Is(e.err, errWall) {
		t.wall.failed(t.o, e.err)
		prepare()
		e = p.run(ctx)
	}
	return e, nil
}

func (t *rsyncTransport) outcome(e exited, sum *totals) Outcome {
	switch {
	case e.canceled:
		return Outcome{Class: ClassCanceled}
	case e.stalled:
		return Outcome{ID: "E-TIMEOUT", Class: ClassTransient, Message: errStalled.Error(),
			Hint: "a file of the source cannot be opened or read without waiting: is its file system dead?"}
	case errors.Is(e.err, errRootMoved):
		return sourceGone(e.err)
	case errors.Is(e.err, errDestMoved):
		return Outcome{ID: "E-MODPATH", Class: ClassTransient, Message: e.err.Error(), Hint: "mount or restore the destination directory"}
	case e.stuck:
		return Outcome{ID: idChanged, Class: ClassEntry, Message: "a file became a fifo while rsync opened it"}
	case e.err != nil:
		o := Outcome{ID: "E-EXEC", Class: ClassTransient, Message: e.err.Error()}
		if errors.Is(e.err, exec.ErrNotFound) || errors.Is(e.err, os.ErrNotExist) || errors.Is(e.err, os.ErrPermission) {
			o.Class, o.Hint = ClassConfig, "install rsync, or set rsync.path"
		}
		return o
	}
	out := Classify(e.code, e.stderr)
	if out.Class == ClassOK && sum.stubborn {
		return Outcome{ID: "E-DEST-NOTEMPTY", Class: ClassEntry, Message: "cannot delete non-empty directory",
			Hint: "something on the remote keeps a directory from being removed"}
	}
	return out
}

// sourceGone is the outcome of a run without a source.
func sourceGone(err error) Outcome {
	return Outcome{ID: "E-SOURCE", Class: ClassTransient, Message: err.Error(), Hint: "mount or restore the source root"}
}

// checkPassword asks for each run: a file can change while we run.
func (t *rsyncTransport) checkPassword() Outcome {
	r := &t.o.Rsync
	if t.o.Target.Kind != Daemon || r.PasswordFile == "" || r.CheckPassword == nil {
		return Outcome{}
	}
	err := r.CheckPassword(r.PasswordFile)
	if err == nil {
		return Outcome{}
	}
	return Outcome{ID: "E-PASSFILE", Class: ClassConfig, Message: err.Error(),
		Hint: "the password_file has to be a regular file of mode 600 that belongs to the user gorsyncd runs as"}
}

// secretFile tells one password file from another: who was let in with the
// earlier one is not a run that would be started now.
func (t *rsyncTransport) secretFile() string {
	r := &t.o.Rsync
	if t.o.Target.Kind != Daemon || r.PasswordFile == "" {
		return ""
	}
	var st unix.Stat_t
	if err := unix.Stat(r.PasswordFile, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprint(st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim)
}

// inTheWay finds the directories that stand where something else is to be:
// without --force they stay, and rsync -n does not itemize what would replace
// them.
func (t *rsyncTransport) inTheWay(line string) (Change, bool) {
	name, ok := strings.CutPrefix(line, stubbornText+": ")
	if !ok || t.o.Delete != DeleteNone {
		return Change{}, false
	}
	return Change{Item: "cannot", Path: strings.TrimPrefix(unescape(name), "./")}, true
}

// openRoot opens the source root and compares it with what the journal knows.
func openRoot(o *Options) (*os.File, error) {
	f, err := os.OpenFile(o.Root, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	if r, ok := o.Tree.(rooted); ok {
		if id, known := r.Root(); known {
			if err := isRoot(f, id); err != nil {
				f.Close()
				return nil, err
			}
		}
	}
	return f, nil
}

// isRoot compares an open directory with the one that was indexed.
func isRoot(f *os.File, id journal.RootID) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	now := journal.RootID{Dev: st.Dev, Ino: st.Ino}
	if now.Dev != id.Dev {
		var err error
		if now.FSID, err = journal.FileSystemID(int(f.Fd())); err != nil {
			return err
		}
	}
	if !now.SameDir(id) {
		return fmt.Errorf("%s is not the directory that was indexed", f.Name())
	}
	return nil
}

// Close ends spares and the shared ssh connection, which would stay for a
// minute.
func (t *rsyncTransport) Close() {
	defer t.alone.leave()
	t.spares.close()
	t.tellShared("exit")
}
