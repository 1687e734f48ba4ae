package journal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestOfflineAfterClose(t *testing.T) {
	j := openTest(t)
	tree(t, source(t, j))
	remote(t, source(t, j), "nas")
	closeChecked(t, j)
	offline(t, j.dir, "read-only", 4)
	j = reopen(t, Options{Dir: j.dir})
	equal(t, "head", source(t, j).Head(), 4)
}

func TestOfflineAfterCrash(t *testing.T) {
	dir := crashed(t)
	offline(t, dir, "copy", 6)
	j := reopen(t, Options{Dir: dir})
	equal(t, "head", source(t, j).Head(), 6)
}

// offline inspects a journal and makes sure that nothing can change it.
func offline(t *testing.T, dir, want string, head uint64) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	j, how, err := OpenOffline(dir)
	must(t, err)
	equal(t, "how", how, want)
	s := source(t, j)
	equal(t, "head", s.Head(), head)
	check(t, j)
	equal(t, "children", len(children(t, s, "")), 1)
	equal(t, "remote", remote(t, s, "nas").Cursor().Low, 4)
	_, recordErr := s.Record(context.Background(), []Observation{file("f", 9, 0)})
	_, sourceErr := j.Source("other")
	_, remoteErr := s.Remote("other")
	for name, c := range map[string]struct{ err, want error }{
		"record":   {recordErr, ErrReadOnly},
		"baseline": {s.EndBaseline(context.Background()), ErrReadOnly},
		"commit":   {remote(t, s, "nas").Commit(context.Background(), Update{State: &RemoteState{}}), ErrReadOnly},
		"maintain": {j.Maintain(context.Background()), ErrReadOnly},
		"source":   {sourceErr, ErrNotFound},
		"remote":   {remoteErr, ErrNotFound},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	must(t, j.Close())
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	must(t, err)
	equal(t, "left in TMPDIR", len(left), 0)
}

func TestOfflineOfNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	if _, _, err := OpenOffline(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if exists(dir) {
		t.Error("created")
	}
}

// A journal with lost data can still be looked at; Check tells.
func TestOfflineOfLost(t *testing.T) {
	dir := crashed(t)
	overwrite(t, dir, entryKey("www", 5), drop)
	j, _, err := OpenOffline(dir)
	must(t, err)
	defer j.Close()
	rep, err := j.Check(context.Background())
	must(t, err)
	equal(t, "problems", rep.Problems, []string{
		"source www: 3 entries with sum 9, but 4 with sum 14 were acknowledged",
		`source www: entry 5 of record "d/x" is lost`})
}
