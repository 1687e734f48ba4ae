package strangers

import (
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/journal"
)

func open(t *testing.T) (*journal.Journal, *journal.Source) {
	t.Helper()
	j, err := journal.Open(journal.Options{Dir: t.TempDir() + "/j"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	s, err := j.Source("www")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nas", "old"} {
		if _, err := s.Remote(name); err != nil {
			t.Fatal(err)
		}
	}
	return j, s
}

func record(t *testing.T, s *journal.Source, paths ...string) {
	t.Helper()
	var obs []journal.Observation
	for i, p := range paths {
		obs = append(obs, journal.Observation{Path: p, State: journal.State{Type: journal.File, Ino: uint64(len(p)*1000 + i)}, At: 1})
	}
	if _, err := s.Record(t.Context(), obs); err != nil {
		t.Fatal(err)
	}
}

// TestFindMakesNothing: to ask for a remote must not make one, which would pin the
// journal.
func TestFindMakesNothing(t *testing.T) {
	j, s := open(t)
	for name, want := range map[[2]string]bool{{"www", "old"}: true, {"www", "new"}: false, {"bbs", "old"}: false} {
		got, known, err := Find(j, name[0], name[1])
		if err != nil || known != want || known && got.Name() != "www/old" {
			t.Errorf("%v: %v %v", name, known, err)
		}
	}
	if len(s.Remotes()) != 2 || len(j.Sources()) != 1 {
		t.Errorf("there are %v of %v now", s.Remotes(), j.Sources())
	}
}

func TestKept(t *testing.T) {
	j, s := open(t)
	conf := &config.Config{Sources: []config.Source{{Name: "www", Remotes: []config.Remote{{Name: "nas"}}}}}
	var c Counter
	kept := func(now time.Time) (n uint64, lag float64) {
		t.Helper()
		list, err := c.Kept(j, conf, now)
		if err != nil || len(list) != 1 || list[0].Name != "www/old" || !list[0].FullSync {
			t.Fatalf("%+v, %v", list, err)
		}
		return list[0].LagEntries, list[0].LagSeconds
	}
	rem, err := s.Remote("old")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if n, lag := kept(now.Add(time.Hour)); n != 0 || lag < 3500 || lag > 3700 {
		t.Errorf("%d entries, %v s for what it has never had", n, lag)
	}
	c = Counter{}
	if err := rem.Commit(t.Context(), journal.Update{FullSync: &journal.FullSync{Reason: "requested"}}); err != nil {
		t.Fatal(err)
	}
	if n, lag := kept(now); n != 0 || lag != 0 {
		t.Errorf("%d entries, %v s", n, lag)
	}
	record(t, s, "a", "b", "c")
	now = now.Add(time.Hour) // counting has rested
	want := s.Head()
	if n, lag := kept(now); n != want || lag < 3500 || lag > 3700 {
		t.Errorf("%d entries, %v s", n, lag)
	}
	// What has cost much to count is not counted again at once, and later it is.
	old := c.counts["www/old"]
	old.next = now.Add(time.Minute)
	c.counts["www/old"] = old
	record(t, s, "d")
	if n, _ := kept(now.Add(time.Second)); n != want {
		t.Errorf("%d entries were counted at once", n)
	}
	if n, _ := kept(now.Add(2 * time.Minute)); n != want+1 {
		t.Errorf("%d entries, want %d", n, want+1)
	}
	// A place that was given up is known at once.
	if err := rem.Commit(t.Context(), journal.Update{Cursor: &journal.Cursor{Low: s.Head()}}); err != nil {
		t.Fatal(err)
	}
	if n, lag := kept(now.Add(2 * time.Minute)); n != 0 || lag != 0 {
		t.Errorf("%d entries, %v s", n, lag)
	}
	both := &config.Config{Sources: []config.Source{{Name: "www", Remotes: []config.Remote{{Name: "nas"}, {Name: "old"}}}}}
	if list, err := c.Kept(j, both, now); err != nil || len(list) != 0 {
		t.Errorf("with all of them configured: %+v, %v", list, err)
	}
}
