package replicate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// wall keeps rsync inside a source in which somebody else may write. rsync is
// given names and resolves them itself, later than we have looked: a directory
// replaced by a symbolic link in between would lead it to any file of the
// machine. What is done about it, the first that is possible:
//
//  1. rsync sees the source, and a local target, in a mount namespace of its
//     own, where the kernel follows no symbolic link below them (nosymfollow).
//     Needs CAP_SYS_ADMIN and Linux 5.14. From 3.5.0 on rsync resolves links
//     by itself, unless told to leave it to the kernel: --insecure-links, which
//     is not passed on to a remote, but binds the receiver of a local target.
//  2. --confine-root, which rsync has since 3.5.0. It would forbid the password
//     file as well, hence not with one. Links that lead from one directory of
//     the source to another are followed: a file that is named below one can
//     arrive below a link that a remote still has, anywhere in its copy. The
//     receiver of a local target has the option, too; more than 64 directories
//     below the target, 3.5.0 resolves whole paths there, which it then
//     refuses: hence not for those.
//  3. Nothing of ours. rsync 3.5.0 follows only links of its own user and of
//     root by itself; an older one follows all.
type wall struct {
	mu      sync.Mutex
	known   string // the program that confine is about; guarded by mu
	confine bool   // rsync knows --confine-root; guarded by mu
	err     error  // why there can be no mount namespace; guarded by mu
}

// confinedDepth is how many directories deep a local target is reached with
// --confine-root, well below what rsync can do.
const confinedDepth = 48

// deep tells whether a run goes deeper than that.
func (b *Batch) deep() bool {
	return slices.ContainsFunc(b.Paths, func(p string) bool { return strings.Count(p, "/") >= confinedDepth })
}

// way chooses what a run needs: a namespace, or arguments, or both.
func (w *wall) way(o *Options, b *Batch, root *os.File) (walled bool, args []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ask(o.Rsync.Path)
	walled = w.err == nil
	confine := w.confine && o.Rsync.PasswordFile == "" && !(o.Target.Kind == Local && b.deep())
	switch {
	case walled && w.confine:
		args = []string{"--insecure-links"}
	case !walled && confine:
		// The path that the handle has now; should it be another when rsync
		// looks, rsync refuses everything, and it is tried again.
		if path, err := os.Readlink(fdPath(root)); err == nil {
			args = []string{"--confine-root=" + path}
		}
	}
	return walled, args
}

// failed notes that there can be no mount namespace, and what that leaves.
func (w *wall) failed(o *Options, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	w.err = err
	log := o.Logger.With("source", o.Source, "remote", o.Name, "reason", err)
	if w.confine && o.Rsync.PasswordFile == "" {
		log.Debug("rsync is confined to the source by an option, not by mounts")
		return
	}
	if w.confine {
		log.Info("rsync follows symbolic links that root or its own user has made, also out of the source, should somebody move them while it reads")
		return
	}
	log.Warn("this rsync could be led out of the source by who may write there: upgrade it to 3.5.0, or give gorsyncd CAP_SYS_ADMIN, unless all writers are trusted")
}

// ask finds out, once for each program, what rsync can do. The caller holds mu.
func (w *wall) ask(path string) {
	bin, err := exec.LookPath(path)
	if err != nil {
		return // the run will tell
	}
	fi, err := os.Stat(bin)
	if err != nil {
		return
	}
	if id := fmt.Sprint(bin, fi.ModTime().UnixNano(), fi.Size()); id != w.known {
		w.confine = runs(bin, "--confine-root=/", "--version")
		if w.confine || runs(bin, "--version") {
			w.known = id
		}
	}
}

// runs tells whether a short command succeeds.
func runs(argv ...string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e := process{argv: argv, env: rsyncEnv()}.run(ctx)
	return e.err == nil && e.code == 0 && !e.canceled
}

var (
	// errWall says that the kernel or our rights do not allow wallIn.
	errWall = errors.New("the source cannot be mounted without symbolic links")
	// errRootMoved says that the source root is not where it was opened.
	errRootMoved = errors.New("the source root moved while it was opened")
	// errDestMoved says the same of the directory of a local target.
	errDestMoved = errors.New("the destination directory moved while it was opened")
)

// wallError tells what another attempt could bring from what is impossible.
func wallError(call string, err error) error {
	for _, never := range []error{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EINVAL, unix.EOPNOTSUPP, unix.ENOSPC} {
		if errors.Is(err, never) {
			return fmt.Errorf("%w: %s: %w", errWall, call, err)
		}
	}
	return os.NewSyscallError(call, err)
}

// wallIn puts the calling thread into a mount namespace where the source root
// has a mount of itself on top, below which no symbolic link is followed, and
// returns that mount's root. The same is done with dest, the directory of a
// local target, unless that is nil. The thread cannot be used for anything else
// afterwards, also after an error: see ownThread.
func wallIn(root, dest *os.File) (*os.File, error) {
	var walls []*wallMount
	ok := false
	defer func() {
		for _, w := range walls {
			if !ok || w.on != root {
				w.tree.Close()
			}
		}
	}()
	for _, f := range []*os.File{root, dest} {
		if f == nil {
			continue
		}
		w, err := cloneWalled(f)
		if err != nil {
			return nil, err
		}
		walls = append(walls, w)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return nil, wallError("unshare", err)
	}
	// Nothing we mount is seen outside; what is unmounted outside goes here, too.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return nil, wallError("mount", err)
	}
	for _, w := range walls {
		err := w.attach()
		if errors.Is(err, errRootMoved) && w.on == dest {
			err = fmt.Errorf("%w: %s", errDestMoved, w.path)
		}
		if err != nil {
			return nil, err
		}
	}
	ok = true
	return walls[0].tree, nil
}

// wallMount is a copy of the mounts from a directory on, to be put on top of it.
type wallMount struct {
	on   *os.File
	path string
	tree *os.File
}

// cloneWalled makes the copy. The directory's handle belongs to a mount of the
// namespace that is about to be left, hence before that.
func cloneWalled(on *os.File) (*wallMount, error) {
	path, err := os.Readlink(fdPath(on))
	if err != nil {
		return nil, err
	}
	fd, err := unix.OpenTree(int(on.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, wallError("open_tree", err)
	}
	w := &wallMount{on, path, os.NewFile(uintptr(fd), on.Name())}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSYMFOLLOW, Propagation: unix.MS_SLAVE}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		w.tree.Close()
		return nil, wallError("mount_setattr", err)
	}
	return w, nil
}

// attach puts the copy into the namespace that the thread is in now: rsync asks
// for the path of its working directory, and is given that of a local target.
func (w *wallMount) attach() error {
	place, err := samePlace(w.on, w.path)
	if err != nil {
		return err
	}
	defer place.Close()
	if err := unix.MoveMount(int(w.tree.Fd()), "", int(place.Fd()), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return wallError("move_mount", err)
	}
	return nil
}

// samePlace opens root by its path, in the namespace the thread is in now.
func samePlace(root *os.File, path string) (*os.File, error) {
	place, err := os.OpenFile(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRootMoved, err)
	}
	was, werr := root.Stat()
	is, ierr := place.Stat()
	if err := errors.Join(werr, ierr); err != nil || !os.SameFile(was, is) {
		place.Close()
		return nil, errors.Join(fmt.Errorf("%w: %s", errRootMoved, path), err)
	}
	return place, nil
}

// ownThread runs fn on a thread that ends with it. It is not the main thread:
// that one cannot end, and what it has is what /proc/self shows.
func ownThread(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			ownThread(fn) // while this one is taken
			return
		}
		fn() // and the thread ends, being locked still
	}()
	<-done
}

func fdPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
