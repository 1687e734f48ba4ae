package replicate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal/failpoint"
)

// killGrace is how long a cancelled process may clean up (rsync removes its
// temporary file) before it is killed.
const killGrace = 2 * time.Second

// process is one child to run.
type process struct {
	argv   []string
	env    []string
	root   *os.File // working directory, if any
	dest   *os.File // directory of a local target, if walled
	walled bool     // no symbolic link below root and dest is followed; see wallIn
	umask  int      // 0 for ours
	place  string   // of dest, "" for none
	secret string   // which password file it uses
	stdin  []byte
	feed   *os.File        // read end of a pipe that stdin comes from later, or nil; closed once the child has it
	begun  <-chan struct{} // with feed: closed when it came
	stdout io.Writer
	extra  *os.File      // file descriptor 3, if any
	stall  time.Duration // ended when it reads and writes nothing for so long; 0 for never
	lock   *os.File      // kept open by the child and its children; may be nil
	watch  *child        // where it can be looked at; may be nil
}

// exited says how a child ended.
type exited struct {
	code     int    // exit code; negative: minus the signal that ended it
	stderr   string // beginning and end, bounded
	err      error  // it could not be started
	canceled bool   // because ctx ended
	stalled  bool   // because it did nothing for too long
	stuck    bool   // ended, since it would have waited for ever: see endStuck
}

// run starts the child in a process group of its own and waits for it. When
// ctx ends, the child gets SIGTERM and, after a grace, its group SIGKILL. The
// child also dies when this process is killed: the kernel sends the
// parent-death signal when the *thread* that started it ends (prctl(2)), hence
// the locked thread.
func (p process) run(ctx context.Context) exited {
	if ctx.Err() != nil {
		return exited{canceled: true, code: 20}
	}
	var stderr capture
	var e exited
	if p.walled || p.umask != 0 {
		ownThread(func() { e = p.startApart(ctx, &stderr) })
	} else {
		e = p.start(ctx, &stderr)
	}
	e.stderr = stderr.String()
	return e
}

// startApart is start on a thread of its own, with the umask and the mounts that
// the child is to have.
func (p process) startApart(ctx context.Context, stderr io.Writer) exited {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return exited{err: os.NewSyscallError("unshare", err), code: 127}
	}
	if p.umask != 0 {
		unix.Umask(p.umask)
	}
	if p.walled {
		tree, err := wallIn(p.root, p.dest)
		if err != nil {
			return exited{err: err, code: 127}
		}
		defer tree.Close()
		p.root = tree
	}
	return p.start(ctx, stderr)
}

func (p process) start(ctx context.Context, stderr io.Writer) exited {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	list, err := p.feed, error(nil)
	if list == nil {
		if list, err = listFile(p.stdin); err != nil {
			return exited{err: err, code: 127}
		}
	}
	defer list.Close()
	cmd.Env, cmd.Stdin = p.env, list
	if p.root != nil {
		cmd.Dir = fdPath(p.root)
	}
	// When we are killed rsync must not go on, and the next start must not meet
	// it. SIGTERM, not SIGKILL: killed at once, one run in twenty to a local
	// target left a temporary file behind for good; ended, none of 450.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if p.extra != nil {
		cmd.ExtraFiles = []*os.File{p.extra}
	}
	if p.lock != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, p.lock)
	}
	for to, file := range map[io.Writer]*io.Writer{stderr: &cmd.Stderr, p.stdout: &cmd.Stdout} {
		if to == nil {
			continue
		}
		pipe, err := newOutPipe(to)
		if err != nil {
			return exited{err: err, code: 127}
		}
		defer pipe.finish()
		*file = pipe.w
	}
	if err := cmd.Start(); err != nil {
		return exited{err: err, code: 127}
	}
	failpoint.Hit("replicate.rsync.started")
	if p.feed != nil {
		p.feed.Close() // or nobody would notice that the child has ended
	}
	watched, release := endStalled(ctx, cmd.Process.Pid, p.stall)
	stop := killOnDone(watched, cmd.Process.Pid)
	unstick := endStuck(cmd.Process.Pid, p.begun)
	p.watch.begin(cmd.Process.Pid, p.root)
	awaitEnd(cmd.Process.Pid)
	p.watch.end()
	err = cmd.Wait()
	failpoint.Hit("replicate.rsync.exited")
	e := exited{stuck: unstick(), canceled: stop()}
	if release(); errors.Is(context.Cause(watched), errStalled) {
		e.canceled, e.stalled = false, e.canceled
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		e.err = err
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.code = -int(ws.Signal())
	} else {
		e.code = cmd.ProcessState.ExitCode()
	}
	if e.code != 0 && !e.canceled {
		// It may have ended before its receiver did.
		awaitGroup(cmd.Process.Pid)
	}
	return e
}

// listFile holds the whole list before the child starts. A pipe would end early
// when this process is killed, and rsync takes the end for the end of the list:
// the last name could be cut to the name of something else, which, missing
// here, would be removed there.
func listFile(list []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("gorsyncd-list", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "list")
	if _, err := f.Write(list); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// killOnDone ends the group when ctx ends. The returned function is called when
// the leader has been waited for; it returns when the watch has ended, and tells
// whether the group was told to end.
func killOnDone(ctx context.Context, pgid int) (stop func() bool) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	killed := false
	wg.Go(func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		killed = true
		endGroup(pgid, done)
	})
	return func() bool {
		close(done)
		wg.Wait()
		return killed
	}
}

// awaitGroup waits for what a leader has left behind, and after a grace has it
// killed.
func awaitGroup(pgid int) {
	for end := time.Now().Add(killGrace); hasMembers(pgid); time.Sleep(groupPoll) {
		if time.Now().After(end) {
			_ = syscall.Kill(-pgid, syscall.SIGKILL) // gone by now is as good
			end = end.Add(killGrace)
		}
	}
}

// groupPoll is how often a group is looked at whose leader has ended.
const groupPoll = 20 * time.Millisecond

// endGroup asks a leader to end and kills what is left of its group after a
// grace. At first only the leader is asked: rsync ends the others itself. A receiver of a
// local target that gets the signal as well can be interrupted twice, and then
// leaves its temporary file behind (two of 15 interrupted starts). The
// leader may end before the others: to a local target the receiver, which has
// the temporary file to remove, is its grandchild. done is closed when the
// leader has been waited for. From then on the group's id is taken only while
// it has members, so that nothing is done once it has none; ids are given out
// in a circle, and none comes back between two looks.
func endGroup(pgid int, done <-chan struct{}) {
	_ = syscall.Kill(pgid, syscall.SIGTERM) // not yet waited for, so the id is its own
	grace := time.NewTimer(killGrace)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
		_ = syscall.Kill(-pgid, syscall.SIGKILL)
		return
	}
	poll := time.NewTicker(groupPoll)
	defer poll.Stop()
	own := time.NewTimer(killGrace / 4)
	defer own.Stop()
	for hasMembers(pgid) {
		select {
		case <-poll.C:
		case <-own.C:
			_ = syscall.Kill(-pgid, syscall.SIGTERM) // gone by now is as good
		case <-grace.C:
			_ = syscall.Kill(-pgid, syscall.SIGKILL)
			return
		}
	}
}

// hasMembers tells whether a group whose leader has been waited for has others.
func hasMembers(pgid int) bool {
	// As process 1 of a container we inherit orphans, and nobody else would
	// wait for them; otherwise this is ECHILD.
	for {
		if pid, err := syscall.Wait4(-pgid, nil, syscall.WNOHANG, nil); pid <= 0 && !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	return syscall.Kill(-pgid, 0) == nil && anyAlive(pgid)
}

// anyAlive tells whether a group has a process that has not ended. One that
// nobody has waited for takes signals, too, and not every process 1 waits soon.
func anyAlive(pgid int) bool {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return true // no /proc: it cannot be told
	}
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// proc(5): pid (name) state ppid pgrp …; the name may have anything in it.
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(f) > 2 && f[2] == strconv.Itoa(pgid) && f[0] != "Z" && f[0] != "X" {
			return true
		}
	}
	return false
}

// rsyncEnv is our environment without what would change rsync's meaning.
func rsyncEnv() []string {
	drop := map[string]bool{
		"LC_ALL": true, "LANG": true, "LANGUAGE": true, "RSYNC_RSH": true, "RSYNC_PARTIAL_DIR": true,
		"RSYNC_OLD_ARGS": true, "RSYNC_PROTECT_ARGS": true, "RSYNC_ICONV": true, "RSYNC_CONNECT_PROG": true,
		"CVSIGNORE": true,
		// Whoever may look at the process would see it.
		"RSYNC_PASSWORD": true,
		// What systemd gives the service is not for what the service runs.
		"CREDENTIALS_DIRECTORY": true, "NOTIFY_SOCKET": true, "WATCHDOG_USEC": true, "WATCHDOG_PID": true,
	}
	var env []string
	for _, kv := range os.Environ() {
		for i := range len(kv) {
			if kv[i] == '=' {
				if !drop[kv[:i]] {
					env = append(env, kv)
				}
				break
			}
		}
	}
	return append(env, "LC_ALL=C")
}
