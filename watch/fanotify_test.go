package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// startFan is a started tree on fanotify.
func startFan(t *testing.T, before ...func(*rig)) *rig {
	t.Helper()
	r := newRig(t)
	r.o.Backend = BackendFanotify
	for _, f := range before {
		f(r)
	}
	r.start()
	r.waitReady()
	return r
}

// remembersOwn asserts that no other directories have their events let in than
// those of the tree and that of fences.
func (r *rig) remembersOwn() {
	r.t.Helper()
	if r.tree.fan == nil {
		return
	}
	if r.tree.Status().Marked > 0 {
		r.remembersThoseOf(r)
	}
}

// remembersThoseOf is the same for trees that share a group and do not overlap.
func (r *rig) remembersThoseOf(trees ...*rig) {
	r.t.Helper()
	h := r.tree.fan.group.handles
	h.mu.Lock()
	defer h.mu.Unlock()
	want := 0
	for _, t := range trees {
		want += t.tree.Status().Marked + 1
	}
	if len(h.of) != want || len(h.more) > 0 {
		r.t.Errorf("%d handles, further ones for %d, for %d directories", len(h.of), len(h.more), want)
	}
}

// TestForeignEvents: what happens elsewhere on the file system is dropped when it
// is read.
func TestForeignEvents(t *testing.T) {
	r := startFan(t, func(r *rig) { r.sh(`mkdir d; echo 1 > d/f; mkdir ../else`) })
	r.settled()
	before := r.tree.Status()
	other := filepath.Join(filepath.Dir(r.root), "else")
	for i := range 20_000 {
		name := filepath.Join(other, fmt.Sprint(i%100))
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if i%7 == 0 {
			r.do(os.Remove(name))
		}
	}
	r.sh(`echo 2 >> d/f`)
	r.settled()
	s := r.tree.Status()
	if n := s.Events - before.Events; n > 100 || s.Overflows > 0 || s.Scans != before.Scans {
		t.Errorf("%d events kept, %d overflows, %d scans", n, s.Overflows, s.Scans-before.Scans)
	}
	r.remembersOwn()
}

// TestNoOverflow holds the reader up while more happens than any queue of inotify
// takes.
func TestNoOverflow(t *testing.T) {
	r := startFan(t, func(r *rig) {
		mount(t, "tmpfs", r.root, "tmpfs", 0) // a disk writes through what is truncated and written anew
		r.sh(`mkdir d`)
	})
	r.settled()
	r.tree.fan.group.handles.mu.Lock()
	for i := range 100_000 {
		if err := os.WriteFile(r.path(fmt.Sprintf("d/%d", i%25_000)), []byte{byte(i)}, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.tree.fan.group.handles.mu.Unlock()
	r.settled()
	if s := r.tree.Status(); s.Overflows > 0 || s.Scans != 1 {
		t.Errorf("%+v", s)
	}
}

// TestMappedWrite: a store to mapped memory is told when the file is closed.
func TestMappedWrite(t *testing.T) {
	r := startFan(t, func(r *rig) { r.sh(`mkdir d; head -c 4096 /dev/zero > d/map; touch -d '1 hour ago' d/map`) })
	time.Sleep(2 * confirmAfter)
	r.settled()
	f, err := os.OpenFile(r.path("d/map"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	r.do(f.Close())
	mem[0] = 1
	r.tree.Rescan("d/map") // the time stamps are known now, and do not change any more
	r.eventually("the record is confirmed", func() bool {
		rec, ok, _ := r.idx.Lookup("d/map")
		return ok && rec.Mtime > time.Now().Add(-time.Minute).UnixNano() && !rec.Racy()
	})
	r.settled()
	compared := r.compares(func() {
		mem[1] = 2
		r.do(unix.Munmap(mem))
		r.settled()
	})
	if !compared["d/map"] {
		t.Errorf("the store is not compared by content: %v", compared)
	}
}

// TestStoresShow: a file that is opened for writing and closed unchanged is not
// compared by content when no store to it could be hidden.
func TestStoresShow(t *testing.T) {
	const disk, memory = 7, 8
	tr := &Tree{fan: &fanotify{marks: map[uint64]*fsMark{disk: {}, memory: {silent: true}}}}
	now := time.Now()
	for _, c := range []struct {
		dev   uint64
		ctime time.Time
		want  bool
	}{
		{disk, now.Add(-2 * writeback), true},
		{disk, now.Add(-writeback / 2), false},
		{disk, now, false},
		{memory, now.Add(-2 * writeback), false},
		{9, now.Add(-2 * writeback), false},
	} {
		st := unix.Stat_t{Dev: c.dev, Ctim: unix.NsecToTimespec(c.ctime.UnixNano())}
		if got := tr.storesShow(&st, now.UnixNano()); got != c.want {
			t.Errorf("device %d, changed %v ago: %v", c.dev, now.Sub(c.ctime), got)
		}
	}
	for mask, want := range map[uint64]bool{
		unix.FAN_CLOSE_WRITE: true, unix.FAN_CLOSE_WRITE | unix.FAN_MODIFY: false,
		unix.FAN_CLOSE_WRITE | unix.FAN_CREATE: false, unix.FAN_CLOSE_WRITE | unix.FAN_ATTRIB: false, unix.FAN_ATTRIB: false,
	} {
		if fanHints(mask).onlyClosed() != want {
			t.Errorf("%x counts as closed unchanged: %v", mask, !want)
		}
	}
}

// TestDirectoryChangedBeforeItIsMarked: the attributes of a new directory are
// changed after the look that found it and before its scan lets its events in,
// within the tick that it was made in.
func TestDirectoryChangedBeforeItIsMarked(t *testing.T) {
	r := startFan(t)
	r.settled()
	r.stop()
	r.sh(`mkdir d`)
	tr := r.tree
	root, err := tr.openAccepted()
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()
	dir, err := root.open("d")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	seen := journal.Observation{Path: "d", State: stateOf(&dir.st, tr.rootKey.dev)}
	for _, c := range []struct {
		name string
		late bool
		age  time.Duration
		want int
	}{
		{"racy", true, time.Millisecond, 1},
		{"seen long after it was made", true, time.Second, 0},
		{"marked before", false, time.Millisecond, 0},
	} {
		seen.At = seen.State.Ctime + int64(c.age)
		if _, err := r.idx.Record(t.Context(), []journal.Observation{seen}); err != nil {
			t.Fatal(err)
		}
		tr.confirms.add("d", tr.now())
		l := &lister{t: tr, root: root, dir: dir, read: &entered{st: dir.st},
			sc: scan{rel: "d", key: keyOf(&dir.st), late: c.late, seen: seen.State, seenAt: seen.At, at: seen.At + 1, group: tr.scans.group(nil, 0)}}
		if err := l.own(); err != nil {
			t.Fatal(err)
		}
		if n := len(tr.found.obs); n != c.want {
			t.Errorf("%s: observed %d times, want %d", c.name, n, c.want)
		}
		tr.found.clear()
	}
}

// TestReplacedWhileItIsMarked: a directory is opened to be scanned, and another one
// stands in its place, with the same inode number, before its handle is known.
func TestReplacedWhileItIsMarked(t *testing.T) {
	r := startFan(t, func(r *rig) { r.sh(`mkdir d`) })
	r.settled()
	r.stop()
	tr := r.tree
	root, err := tr.openAccepted()
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()
	begun := tr.now()
	dir, err := root.open("d")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	r.sh(`rmdir d; mkdir d`)
	ev := event{dir: tr.rootKey, name: "d", hints: fanHints(unix.FAN_DELETE | unix.FAN_CREATE), mono: tr.now(), wall: time.Now().UnixNano()}
	id, err := handleOf(dir.fd, fsid{1})
	if err != nil {
		t.Fatal(err)
	}
	if tr.watchDir(root, scan{rel: "d", key: keyOf(&dir.st)}, id, begun) == nil {
		t.Fatal("moved")
	}
	if tr.ingest(&ev); !tr.w.find("d").stale {
		t.Error("the handle of the old directory is taken for that of the new")
	}
}

// TestWithoutCapability runs as a user who may not mark file systems.
func TestWithoutCapability(t *testing.T) {
	const env = "WATCH_NOCAP_CHILD"
	if os.Getenv(env) == "" {
		dir, err := os.MkdirTemp("/tmp", "watch")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		r := &rig{t: t}
		r.do(os.Chmod(dir, 0o755))
		runIn(t, dir, `cp "$1" test; mkdir -m 1777 tmp`, os.Args[0])
		cmd := execAgain(t, filepath.Join(dir, "test"), env)
		cmd.Env = append(cmd.Env, "TMPDIR="+dir+"/tmp")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL}
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, b := range []Backend{BackendAuto, BackendFanotify} {
		r := newRig(t)
		r.o.Backend, r.fallsBack = b, true
		r.sh(`mkdir -p d/e; echo 1 > d/e/f`)
		r.start()
		r.waitReady()
		r.sh(`echo 2 >> d/e/f; mkdir -p n/m; echo 1 > n/m/f`)
		r.settled()
		s := r.tree.Status()
		if s.Backend != "inotify" || s.Marked != 0 || s.Watches != s.Dirs || len(s.Fallbacks) != 1 || !strings.Contains(s.Fallbacks[0], "CAP_SYS_ADMIN") {
			t.Errorf("%s: %+v", b, s)
		}
	}
}

// TestUnknownBackend: a mistake is an error, not another backend.
func TestUnknownBackend(t *testing.T) {
	r := newRig(t)
	r.o.Backend = "kqueue"
	if _, err := New(r.o); err == nil {
		t.Error("accepted")
	}
}

// record makes an information record of fanotify(7).
func record(kind byte, id fsid, handle []byte, name string) []byte {
	rec := append([]byte{kind, 0, 0, 0}, id[:]...)
	rec = binary.NativeEndian.AppendUint32(rec, uint32(len(handle)))
	rec = binary.NativeEndian.AppendUint32(rec, 1)
	rec = append(rec, handle...)
	if name != "" {
		rec = append(rec, name+"\x00"...)
	}
	for len(rec)%4 != 0 {
		rec = append(rec, 0)
	}
	binary.NativeEndian.PutUint16(rec[2:], uint16(len(rec)))
	return rec
}

func fanEvent(mask uint64, records ...[]byte) []byte {
	body := slices.Concat(records...)
	ev := binary.NativeEndian.AppendUint32(nil, uint32(24+len(body)))
	ev = append(ev, unix.FANOTIFY_METADATA_VERSION, 0, 24, 0)
	ev = binary.NativeEndian.AppendUint64(ev, mask)
	return append(append(ev, make([]byte, 8)...), body...)
}

// heard is a sink of what was parsed.
type heard struct {
	list []string
	none []fsid
	drop int
}

func (h *heard) named(dir handleID, name []byte, hints hint) {
	h.list = append(h.list, fmt.Sprint(dir, string(name), hints))
}
func (h *heard) nameless(on fsid) { h.none = append(h.none, on) }
func (h *heard) lost()            { h.drop++ }

func TestParseEvents(t *testing.T) {
	dir, id := []byte("handle of d!"), fsid{1, 2}
	named := record(unix.FAN_EVENT_INFO_TYPE_DFID_NAME, id, dir, "x")
	child := record(unix.FAN_EVENT_INFO_TYPE_FID, id, []byte("child"), "")
	elsewhere := record(unix.FAN_EVENT_INFO_TYPE_DFID_NAME, fsid{1, 3}, dir, "y")
	buf := slices.Concat(
		fanEvent(unix.FAN_CREATE, named, child),
		fanEvent(unix.FAN_ATTRIB, child), // of an inode alone
		fanEvent(unix.FAN_MODIFY, elsewhere, child),
		fanEvent(unix.FAN_ATTRIB|unix.FAN_ONDIR, record(unix.FAN_EVENT_INFO_TYPE_DFID_NAME, id, dir, ".")),
		fanEvent(unix.FAN_Q_OVERFLOW),
		fanEvent(unix.FAN_MODIFY, child),
	)
	var h heard
	if err := parseEvents(buf, &h); err != nil {
		t.Fatal(err)
	}
	known, other := identify(named[4:4+16+len(dir)]), identify(elsewhere[4:4+16+len(dir)])
	want := []string{
		fmt.Sprint(known, "x", fanHints(unix.FAN_CREATE)),
		fmt.Sprint(other, "y", fanHints(unix.FAN_MODIFY)),
		fmt.Sprint(known, ".", fanHints(unix.FAN_ATTRIB)),
	}
	if !slices.Equal(h.list, want) || h.drop != 1 || !slices.Equal(h.none, []fsid{id}) {
		t.Errorf("%+v", h)
	}
	whole := fanEvent(unix.FAN_CREATE, named, child)
	for n := range len(whole) - 1 {
		short := slices.Clone(whole[:n+1])
		if err := parseEvents(short, &h); !errors.Is(err, errFormat) {
			t.Errorf("cut after %d bytes: %v", n+1, err)
		}
	}
}

func FuzzParseEvents(f *testing.F) {
	f.Add(fanEvent(unix.FAN_CREATE, record(unix.FAN_EVENT_INFO_TYPE_DFID_NAME, fsid{1}, []byte("handle"), "name")))
	f.Fuzz(func(t *testing.T, buf []byte) {
		var h heard
		_ = parseEvents(buf, &h) // it must not read beyond the end
		for _, e := range h.list {
			if len(e) > 200+len(buf) {
				t.Error("a name that is longer than the events")
			}
		}
	})
}
