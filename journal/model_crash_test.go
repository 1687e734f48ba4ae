package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pgregory.net/rapid"
)

// blows are what befalls a journal between the other steps of the model: its
// process is killed, a remote is forgotten and comes back with nothing, a full
// sync is asked for and goes on in parts.
func (m *machine) blows() map[string]func(*rapid.T) {
	pick := func(t *rapid.T) string { return rapid.SampledFrom([]string{"a", "b"}).Draw(t, "remote") }
	rarely := func(t *rapid.T) bool { return rapid.IntRange(0, 3).Draw(t, "rarely") == 0 }
	return map[string]func(*rapid.T){
		"kill": func(t *rapid.T) {
			if rarely(t) {
				m.kill(t)
			}
		},
		"kill before the acknowledgement": func(t *rapid.T) {
			if rarely(t) {
				m.unacked(t, pick(t))
				m.kill(t)
			}
		},
		"drop": func(t *rapid.T) {
			if rarely(t) {
				m.drop(t, pick(t))
			}
		},
		"ask for a full sync": func(t *rapid.T) {
			if rarely(t) {
				m.commit(t, pick(t), Update{FullSync: &FullSync{Reason: "asked for", Checksum: rapid.Bool().Draw(t, "checksum")}})
			}
		},
		"full sync": func(t *rapid.T) { m.reconcile(t, pick(t), rapid.IntRange(1, 3).Draw(t, "dirs")) },
	}
}

func (m *machine) remote(t *rapid.T, name string) *Remote {
	r, err := m.s.Remote(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (m *machine) commit(t *rapid.T, name string, u Update) {
	if err := m.remote(t, name).Commit(context.Background(), u); err != nil {
		t.Fatal(err)
	}
}

// kill goes on from the files as they are while the journal is open, as kill
// -9 leaves them. What was only in memory, events above all, is forgotten; the
// start scans.
func (m *machine) kill(t *rapid.T) {
	m.life++
	to := filepath.Join(filepath.Dir(m.dir), fmt.Sprint("life", m.life))
	snapshot(t, m.dir, to)
	if err := m.j.Close(); err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(m.dir)
	os.Remove(sidePath(m.dir))
	m.dir = to
	clear(m.dirty)
	clear(m.renewed)
	m.open(t)
	m.record(t, m.look("", false))
	m.scan(t, "")
}

// snapshot copies a journal as it is at one moment: Badger may be writing out
// what an earlier kill left behind, and a copy that has one of its steps by
// half is nothing that a kill leaves.
func snapshot(t interface{ Fatal(...any) }, dir, to string) {
	for {
		before := listing(t, dir)
		err := os.Mkdir(to, 0o700)
		if err == nil {
			err = errors.Join(copyFiles(dir, to), copySparse(sidePath(dir), sidePath(to)))
		}
		if err == nil {
			err = own(to)
		}
		if err != nil {
			t.Fatal(err)
		}
		if before == listing(t, dir) {
			return
		}
		os.RemoveAll(to)
		os.Remove(sidePath(to))
	}
}

// own makes a copy pass for the original.
func own(dir string) error {
	beat, err := readPulse(dir)
	if beat == nil || err != nil {
		return err
	}
	name := filepath.Join(dir, pulseName)
	if beat.Self, err = fileHandle(name); err != nil && !errors.Is(err, errNoHandle) {
		return err
	}
	return os.WriteFile(name, beat.encode(), 0o600)
}

// listing changes with each step of Badger's flushes and compactions.
func listing(t interface{ Fatal(...any) }, dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // gone by now
		}
		fmt.Fprintln(&all, e.Name(), info.Size())
	}
	return all.String()
}

// unacked carries entries to a remote and acknowledges none.
func (m *machine) unacked(t *rapid.T, name string) {
	r := m.remote(t, name)
	list, err := m.s.Entries(r.Cursor().Next(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if !r.Cursor().Has(e.Seq) && rapid.Bool().Draw(t, "sent") {
			m.apply(m.remotes[name], e.Path, e.Flags)
		}
	}
}

// drop forgets a remote, which comes back as a new one.
func (m *machine) drop(t *rapid.T, name string) {
	old := m.remote(t, name)
	if err := m.s.DropRemote(context.Background(), name); err != nil {
		t.Fatal(err)
	}
	if err := old.Commit(context.Background(), Update{Cursor: &Cursor{Low: m.s.Head()}}); err == nil {
		t.Fatal("the handle of a dropped remote still commits")
	}
	m.check(t)
	m.remotes[name] = root()
	r := m.remote(t, name)
	list, err := r.Retries()
	if err != nil || len(list) > 0 || r.Cursor().Low != m.s.Head() || len(r.Cursor().Done) > 0 {
		t.Fatalf("a new remote starts at %+v with %v, %v", r.Cursor(), list, err)
	}
	if f := r.FullSync(); f == nil || f.Reason != NewRemote {
		t.Fatalf("a new remote starts with full sync %+v", f)
	}
}

// reconcile goes on with the full sync of a remote, if it has one.
func (m *machine) reconcile(t *rapid.T, name string, limit int) {
	r := m.remote(t, name)
	f := r.FullSync()
	if f == nil {
		return
	}
	dirs, _, err := m.s.Dirs(f.After, f.Begun, Weight{uint64(limit), 1 << 30, 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	failing := map[string]Retry{}
	old, err := r.Retries()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range old {
		failing[x.Path] = x
	}
	var u Update
	for _, dir := range dirs {
		if m.look(dir, false).State.Type != Dir {
			m.observeDirty(t) // tree and index are to agree first
			return
		}
		u.PutRetry = append(u.PutRetry, m.level(t, m.remotes[name], dir, f.Checksum, failing)...)
		f.After, f.Begun, f.Done = dir, true, f.Done+1
	}
	u.FullSync, u.EndFullSync = f, false
	if len(dirs) < limit {
		u.FullSync, u.EndFullSync = nil, true
	}
	m.commit(t, name, u)
}

// level makes one directory of a remote equal, without deleting. What the
// index does not know must be looked at again: it may go without an entry.
func (m *machine) level(t *rapid.T, remote files, dir string, checksum bool, failing map[string]Retry) (again []Retry) {
	var flags Flag
	if checksum {
		flags = FlagChecksum
	}
	if dir != "" {
		m.apply(remote, dir, flags)
	}
	for _, p := range m.tree.children(dir) {
		m.apply(remote, p, flags)
		_, known, err := m.s.Lookup(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := failing[p]; !known && !ok {
			again = append(again, Retry{Path: p, Op: OpRemove, Seq: m.s.Head()})
		}
	}
	return again
}

// phantom tells whether a retry record waits for the index to know its path.
func (m *machine) phantom(t *rapid.T, r Retry) bool {
	_, known, err := m.s.Lookup(r.Path)
	if err != nil {
		t.Fatal(err)
	}
	return r.Op == OpRemove && !known && m.look(r.Path, false).State.Type != Gone
}
