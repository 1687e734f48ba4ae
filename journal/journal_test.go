package journal

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// openTest opens a journal in a fresh directory that is checked and closed at
// the end of the test, failed or not.
func openTest(t testing.TB) *Journal {
	t.Helper()
	return reopen(t, Options{Dir: filepath.Join(t.TempDir(), "journal")})
}

func reopen(t testing.TB, o Options) *Journal {
	t.Helper()
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	j.grace = 0
	t.Cleanup(func() {
		if !j.closed {
			check(t, j)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func check(t testing.TB, j *Journal) Report {
	t.Helper()
	rep, err := j.Check(context.Background())
	if err != nil {
		t.Error(err)
	}
	for _, p := range rep.Problems {
		t.Error(p)
	}
	return rep
}

// closeChecked is Close with a Check before it.
func closeChecked(t testing.TB, j *Journal) {
	t.Helper()
	check(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func source(t testing.TB, j *Journal) *Source {
	t.Helper()
	s, err := j.Source("www")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func remote(t testing.TB, s *Source, name string) *Remote {
	t.Helper()
	r, err := s.Remote(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const second = int64(time.Second)

// base is the time of the first observation of a test.
var base = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano()

// file, dir and gone make observations that are not racy; ino and version
// tell them apart.
func file(path string, ino uint64, version int64) Observation {
	at := base + version*second
	return Observation{Path: path, At: at + second/2, State: State{Type: File, Mode: 0o644, Size: 10 + version, Mtime: at, Ctime: at, Ino: ino, Nlink: 1}}
}

func dir(path string, ino uint64) Observation {
	return Observation{Path: path, At: base + second, State: State{Type: Dir, Mode: 0o755, Mtime: base, Ctime: base, Ino: ino}}
}

func gone(path string) Observation { return Observation{Path: path, At: base + 100*second} }

func with(o Observation, change func(*Observation)) Observation {
	change(&o)
	return o
}

func record(t testing.TB, s *Source, obs ...Observation) []Result {
	t.Helper()
	res, err := s.Record(context.Background(), obs)
	if err != nil {
		t.Fatal(err)
	}
	if len(res) != len(obs) {
		t.Fatalf("%d results for %d observations", len(res), len(obs))
	}
	return res
}

// tree records a root, directory d, and files d/x and d/y.
func tree(t testing.TB, s *Source) {
	t.Helper()
	record(t, s, dir("", 1), dir("d", 2), file("d/x", 3, 0), file("d/y", 4, 0))
}

func commit(t testing.TB, r *Remote, u Update) {
	t.Helper()
	if err := r.Commit(context.Background(), u); err != nil {
		t.Fatal(err)
	}
}

func ack(t testing.TB, r *Remote, low uint64, done ...Range) {
	t.Helper()
	commit(t, r, Update{Cursor: &Cursor{Low: low, Done: done}})
}

func maintain(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Maintain(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func entries(t testing.TB, s *Source) []Entry {
	t.Helper()
	list, err := s.Entries(0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestReopenFindsAll(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "journal")}
	j := reopen(t, o)
	s := source(t, j)
	tree(t, s)
	r := remote(t, s, "nas")
	record(t, s, file("d/x", 3, 1), gone("d/y"))
	next := Cursor{Low: 4, Done: []Range{{6, 6}}}
	retry := Retry{Path: "d/y", Seq: 6, Op: OpRemove, Attempts: 2, First: time.Unix(1, 5).UTC(), Next: time.Unix(9, 0).UTC(), ErrorID: "E-X", Error: "no\nway"}
	commit(t, r, Update{Cursor: &next, PutRetry: []Retry{retry}, EndFullSync: true, State: &RemoteState{Paused: true, PauseReason: "why"}})
	id := RootID{Path: "/srv", Dev: 1, Ino: 2, FSID: 3}
	if err := s.SetRoot(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if err := s.EndBaseline(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := entries(t, s)
	closeChecked(t, j)

	j = reopen(t, o)
	s = source(t, j)
	r = remote(t, s, "nas")
	equal(t, "entries", entries(t, s), want)
	equal(t, "cursor", r.Cursor(), next)
	retries, err := r.Retries()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "retries", retries, []Retry{retry})
	equal(t, "full sync", r.FullSync(), nil)
	equal(t, "state", r.State(), RemoteState{Paused: true, PauseReason: "why"})
	root, ok := s.Root()
	equal(t, "root", root, id)
	equal(t, "root known", ok, true)
	equal(t, "baseline", s.Baseline(), false)
	equal(t, "head", s.Head(), 6)
	equal(t, "sources", j.Sources(), []string{"www"})
	equal(t, "remotes", s.Remotes(), []string{"nas"})
}
