package replicate

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal/failpoint"
)

// argvMove is the command line for a batch of LaneMove. Source and target are
// the new directory, the names in the list are below it: rsync looks for the
// same names below the old one.
func (o *Options) argvMove(b *Batch, mode Mode, more []string) []string {
	a := append(append(o.argvBegin(b, mode), fromStdin...), more...)
	// What is there may be one file with another, whose attributes would be set.
	a = append(a, "--ignore-missing-args", "--ignore-existing")
	if b.Content {
		a = append(a, "--ignore-times")
	} else {
		a = append(a, "--checksum")
	}
	// The receiver of a local target finds nothing outside of the source then.
	confined := o.Target.Kind == Local && slices.ContainsFunc(more, func(s string) bool { return strings.HasPrefix(s, "--confine-root=") })
	to, from := b.passage.dirs()
	if b.passage.file && b.passage.renamed() {
		a = append(a, "--fuzzy")
	}
	if !confined && to != from {
		a = append(a, o.linkArg()+o.Target.inside(from))
	}
	// Without --no-implied-dirs the directories above each name are stamped, up
	// to the new one: all of them are locked.
	return append(a, "--", ".", o.Target.address()+slashed(to))
}

func (o *Options) linkArg() string {
	if o.Delete == DeleteNone {
		return "--copy-dest="
	}
	return "--link-dest="
}

// inside is the absolute path of a directory of the target as its receiver
// knows it. Relative to another one, rsync before 3.3 does not find it in a
// module without chroot; absolute paths begin at the module there, as they do
// with one.
func (t Target) inside(dir string) string {
	return path.Join("/", t.Path, dir)
}

// name is a path p as the batch's list has it.
func (b *Batch) name(p string) string {
	if b.move == nil {
		return p
	}
	to, _ := b.passage.dirs()
	return strings.TrimPrefix(p, slashed(to))
}

// change reads an itemized line.
func (b *Batch) change(line string) (Change, bool) {
	c, ok := parseChange(line)
	if !ok || b.move == nil {
		return c, ok
	}
	to, _ := b.passage.dirs()
	if c.Path == "" {
		c.Path = to
	} else {
		c.Path = join(to, c.Path)
	}
	return c, true
}

// errMovedOn says that the new directory is not where it was seen.
var errMovedOn = errors.New("the directory was moved on")

// enterMoved opens the directory that a run is about and closes the root, of
// which it is below. No symbolic link is followed.
func (b *Batch) enterMoved(root *os.File) (*os.File, error) {
	if b.move == nil {
		return root, nil
	}
	to, _ := b.passage.dirs()
	if to == "" {
		return root, nil
	}
	fd, err := unix.Openat(int(root.Fd()), ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for name := range strings.SplitSeq(to, "/") {
		if err != nil {
			break
		}
		up := fd
		fd, err = unix.Openat(up, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		_ = unix.Close(up)
	}
	if err != nil {
		return root, fmt.Errorf("enter moved directory: %w", err)
	}
	dir := os.NewFile(uintptr(fd), join(root.Name(), to))
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != b.passage.ino && !b.passage.file {
		dir.Close()
		return root, errors.Join(errMovedOn, err)
	}
	root.Close()
	return dir, nil
}

// movedEnded files a run of a move and tells whether it has. What it had is left
// to the other lanes, whether or not it is on the remote by now.
func (d *Dispatcher) movedEnded(rep report, now time.Time) bool {
	b, out := rep.batch, rep.res.Outcome
	m := b.move
	if m == nil {
		return false
	}
	failpoint.Hit("replicate.move")
	m.flying--
	m.limit = now.Add(movePatience)
	switch {
	case out.Class == ClassCanceled:
		return false
	case out.Class == ClassOK:
		d.recovered(now)
	case out.Class == ClassTransient && rep.res.Exit != 11:
		// Whether it was the remote or what the run asked of it shows next time.
		if m.cut++; m.cut >= moveTries && rep.res.Exit != 10 {
			m.broken = true
		}
		return false
	default:
		// Nothing is said of a path that it was given meanwhile.
		m.broken = m.broken || m.to == b.passage.to
		d.log.Info("what was moved is sent instead of linked", "path", b.passage.to, "from", b.passage.from,
			"error_id", out.ID, "message", out.Message)
		d.cutOff(b, &rep.res)
	}
	for _, it := range b.Items {
		it.moved = true
	}
	d.giveBack(b)
	d.again = true
	return true
}
