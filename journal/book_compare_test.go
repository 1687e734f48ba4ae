package journal

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	"pgregory.net/rapid"
)

// compare is every fact in the book against the journal.
func (b *book) compare(t *rapid.T) {
	got, err := b.s.Entries(0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.SortedFunc(maps.Values(b.entries), func(x, y Entry) int { return int(x.Seq) - int(y.Seq) })
	for i := range got {
		for name, a := range b.remotes {
			if since, _ := got[i].Since(name); !a.has(got[i].Seq) && since != a.lacks[got[i].Seq] {
				t.Fatalf("%s is behind with %+v since %d, want %d", name, got[i], since, a.lacks[got[i].Seq])
			}
		}
		got[i] = Entry{Seq: got[i].Seq, Op: got[i].Op, Path: got[i].Path, First: got[i].First}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("entries\n got %+v\nwant %+v", got, want)
	}
	h := b.s.header()
	if h.Head != b.head || h.Entries != uint64(len(want)) || h.Index != uint64(len(b.index))+1 {
		t.Fatalf("header %+v for head %d, %d entries, %d records and the root", h, b.head, len(want), len(b.index))
	}
	names := slices.Sorted(maps.Keys(b.remotes))
	if have := b.s.Remotes(); !slices.Equal(have, names) {
		t.Fatalf("remotes %q, want %q", have, names)
	}
	for name, a := range b.remotes {
		b.compareRemote(t, name, a)
	}
	rep, err := b.j.Check(context.Background())
	if err != nil || len(rep.Problems) > 0 {
		t.Fatalf("%v\n%q", err, rep.Problems)
	}
}

func (b *book) compareRemote(t *rapid.T, name string, a *account) {
	r, err := b.s.Remote(name)
	if err != nil {
		t.Fatal(err)
	}
	same := func(what string, got, want any) {
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Fatalf("remote %s: %s\n got %+v\nwant %+v", name, what, got, want)
		}
	}
	same("cursor", r.Cursor(), a.cursor())
	same("state", r.State(), a.state)
	list, err := r.Retries()
	if err != nil {
		t.Fatal(err)
	}
	var want []Retry
	for _, p := range slices.Sorted(maps.Keys(a.retries)) {
		want = append(want, a.retries[p])
	}
	sort.Slice(list, func(i, k int) bool { return list[i].Path < list[k].Path })
	same("retries", list, want)
	if f := r.FullSync(); (f == nil) != (a.full == nil) || f != nil && *f != *a.full {
		t.Fatalf("remote %s: full sync %+v, want %+v", name, f, a.full)
	}
}

// TestBooks does what a journal is for in any order, with kills and reopenings
// in between, and compares all that it holds after each step.
func TestBooks(t *testing.T) {
	home := memoryDir(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		b := &book{dir: filepath.Join(home, fmt.Sprint(n), "journal"), at: base + 100*second, index: map[string]line{}, entries: map[uint64]Entry{},
			pins: map[string]uint64{}, remotes: map[string]*account{}}
		if err := os.Mkdir(filepath.Dir(b.dir), 0o700); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(filepath.Dir(b.dir))
		b.open(t)
		defer func() { b.j.Close() }()
		if _, err := b.s.Record(context.Background(), []Observation{with(dir("", 1), func(o *Observation) { o.Baseline = true })}); err != nil {
			t.Fatal(err)
		}
		b.join(t, "a")
		b.join(t, "b")
		t.Repeat(map[string]func(*rapid.T){
			"record":      b.record,
			"record2":     b.record,
			"acknowledge": b.acknowledge,
			"retry":       b.retry,
			"decide":      b.decide,
			"turnover": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "rarely") {
					b.turnover(t)
				}
			},
			"maintain": b.maintain,
			"reopen":   func(t *rapid.T) { b.reopen(t, false) },
			"kill":     func(t *rapid.T) { b.reopen(t, true) },
			"":         b.compare,
		})
	})
}
