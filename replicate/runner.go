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
)

// transport carries batches to a remote. Run may be called concurrently for
// batches whose locks do not conflict. It returns only when whatever it
// started has ended, also when ctx ends.
type transport interface {
	Run(ctx context.Context, b *Batch, mode Mode) Result
	// Close gives up what is kept between runs.
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
	Deleted  uint64
	Duration time.Duration
	// RootDirty says that something directly below the root was made, replaced
	// or removed, which changes the root's mtime.
	RootDirty bool
	place     string // where a local target is, see placeOf; "" for others
}

// rsyncTransport runs one rsync per batch.
type rsyncTransport struct {
	o *Options
}

var _ transport = (*rsyncTransport)(nil)

func (t *rsyncTransport) Run(ctx context.Context, b *Batch, mode Mode) Result {
	begin := time.Now()
	root, err := t.openRoot()
	if err != nil {
		return Result{Exit: -1, Outcome: Outcome{ID: "E-SOURCE", Class: ClassTransient, Message: err.Error(), Hint: "mount or restore the source root"}}
	}
	defer root.Close()
	at, place, refused := t.enterLocal(b.place)
	if refused.ID != "" {
		return Result{Exit: -1, Outcome: refused}
	}
	if at != nil {
		defer at.Close()
	}
	res := Result{place: place}
	var sum totals
	out := &lines{fn: func(s string) {
		if c, ok := parseChange(s); ok {
			res.RootDirty = res.RootDirty || c.dirtiesRoot()
			if mode == Verify || b.wants(c) {
				res.Changes = append(res.Changes, c)
			}
			return
		}
		if c, ok := t.inTheWay(s); ok && mode == Verify {
			res.Changes = append(res.Changes, c)
		}
		sum.read(s)
	}}
	p := process{
		argv: t.o.argv(b, mode), env: rsyncEnv(), stdin: b.list(), stdout: out,
		// The handle, not the path: whatever happens to the path now, rsync
		// reads the directory that was checked.
		dir: fmt.Sprintf("/proc/self/fd/%d", root.Fd()),
	}
	e := p.run(ctx)
	res.Exit, res.Stderr, res.Duration = e.code, e.stderr, time.Since(begin)
	res.Sent, res.Received, res.Files, res.Deleted = sum.sent, sum.received, sum.files, sum.deleted
	res.Outcome = t.outcome(e, &sum)
	return res
}

func (t *rsyncTransport) outcome(e exited, sum *totals) Outcome {
	switch {
	case e.canceled:
		return Outcome{Class: ClassCanceled}
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
func (t *rsyncTransport) openRoot() (*os.File, error) {
	f, err := os.OpenFile(t.o.Root, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	if r, ok := t.o.Tree.(rooted); ok {
		if id, known := r.Root(); known {
			var st unix.Stat_t
			var fs unix.Statfs_t
			err := errors.Join(unix.Fstat(int(f.Fd()), &st), unix.Fstatfs(int(f.Fd()), &fs))
			fsid := fsID(&fs)
			// A device number may change with each mount, the id of a file
			// system on some kinds of them; both at once do not.
			if err == nil && (st.Ino != id.Ino || st.Dev != id.Dev && (fsid == 0 || fsid != id.FSID)) {
				err = fmt.Errorf("%s is not the directory that was indexed", t.o.Root)
			}
			if err != nil {
				f.Close()
				return nil, err
			}
		}
	}
	return f, nil
}

// Close ends the shared ssh connection, which would stay for a minute.
func (t *rsyncTransport) Close() {
	if t.o.Target.Kind != Shell || t.o.controlPath() == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s := &t.o.Rsync.SSH
	argv := []string{"ssh", "-O", "exit", "-o", "BatchMode=yes", "-o", "ControlPath=" + t.o.controlPath()}
	if s.ConfigFile != "" {
		argv = append(argv, "-F", s.ConfigFile)
	}
	if s.Port != 0 {
		argv = append(argv, "-p", fmt.Sprint(s.Port))
	}
	for _, opt := range s.Options {
		argv = append(argv, "-o", opt)
	}
	login := t.o.Target.Host
	if t.o.Target.User != "" {
		login = t.o.Target.User + "@" + login
	}
	// No master is an error that is as good as success.
	process{argv: append(argv, login), env: rsyncEnv()}.run(ctx)
}
