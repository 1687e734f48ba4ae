package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/journal"
)

func TestDue(t *testing.T) {
	at := func(clock string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05", "2026-11-22 "+clock, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		schedule, last, now string
		want                bool
	}{
		{"", "02:29:59", "02:30:01", false},
		{"30 2 * * *", "02:29:59", "02:30:01", true},
		{"30 2 * * *", "02:30:01", "02:30:03", false},
		{"30 2 * * *", "02:30:00", "02:30:02", false}, // the round before has started it
		{"30 2 * * *", "02:29:58", "02:30:00", true},
	} {
		if got := due(c.schedule, at(c.last), at(c.now)); got != c.want {
			t.Errorf("due(%q, %s, %s) = %v", c.schedule, c.last, c.now, got)
		}
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		root, sub, want string
		ok              bool
	}{
		{"/data/www", "", "", true},
		{"/data/www", "img/", "img", true},
		{"/data/www", "/data/www", "", true},
		{"/data/www", "/data/www/img/a", "img/a", true},
		{"/data/www", "/data/www2/img", "", false},
		{"/data/www", "/data", "", false},
		{"/data/www", "../../etc", "etc", true}, // never above the root
		{"/data/www", "..img", "..img", true},
		{"/data/www", "/data/www/..img", "..img", true},
	} {
		got, ok := below(c.root, c.sub)
		if got != c.want || ok != c.ok {
			t.Errorf("below(%q, %q) = %q, %v; want %q, %v", c.root, c.sub, got, ok, c.want, c.ok)
		}
	}
}

// load parses a configuration of one source with one remote.
func load(t *testing.T, remote, defaults string) config.Remote {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.yaml")
	text := "state_dir: /var/lib/x\nsources:\n  - path: /data/www\n    remotes:\n      - " + remote + "\n" + defaults
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Sources[0].Remotes[0]
}

// startOpen opens the journal as a starting daemon does.
func startOpen(ctx context.Context, c *config.Config) (*journal.Journal, bool, error) {
	d := &Daemon{cfg: c, log: quiet, patience: patience{log: quiet}, starts: newStartGuard(c.JournalDir(), quiet)}
	d.metrics = d.newMetrics()
	defer d.starts.close()
	return d.openJournal(ctx)
}

// TestDamagedJournalIsSetAside: nothing of a journal that cannot be trusted is
// used, and nothing of it is deleted.
func TestDamagedJournalIsSetAside(t *testing.T) {
	c := &config.Config{StateDir: t.TempDir()}
	j, _, err := startOpen(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Source("www"); err != nil {
		t.Fatal(err)
	}
	now, cancel := context.WithCancel(t.Context())
	cancel() // so that it does not wait for the lock
	if _, _, err := startOpen(now, c); !isLocked(err) {
		t.Fatalf("a journal in use: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(c.JournalDir(), "MANIFEST")); err != nil {
		t.Fatal(err)
	}
	j, lost, err := startOpen(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if n := len(j.Sources()); n != 0 || !lost {
		t.Errorf("%d sources in a fresh journal", n)
	}
	aside, _ := filepath.Glob(c.JournalDir() + ".lost-*")
	if len(aside) == 0 {
		t.Error("the damaged journal is gone")
	}
}

func TestJournalStatusNamesWhoPins(t *testing.T) {
	old := time.Now().Add(-time.Hour)
	st := journal.Stats{DiskBytes: 7, Sources: []journal.SourceStats{
		{Name: "a", Head: 10, Entries: 3, PinnedBy: "x", Pinned: 2, OldestEntry: time.Now()},
		{Name: "b", Head: 5, Entries: 4, PinnedBy: "y", Pinned: 4, OldestEntry: old},
		{Name: "c"},
	}}
	got := journalStatus(st, &config.Config{Journal: config.Journal{MaxSize: 9}})
	if got.HeadSeq != 15 || got.Entries != 7 || got.PinnedBy != "b/y" || got.MaxBytes != 9 || !got.OldestEntry.Equal(old) {
		t.Errorf("%+v", got)
	}
}

var quiet = slog.New(slog.DiscardHandler)

func isLocked(err error) bool { return errors.Is(err, journal.ErrLocked) }

func TestPrivateDirectory(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "ssh")
	for range 2 {
		if err := makePrivate(dir); err != nil {
			t.Fatal(err)
		}
	}
	fi, err := os.Stat(dir)
	if err != nil || fi.Mode().Perm() != 0o700 {
		t.Fatalf("%v %v", fi.Mode(), err)
	}
	for name, spoil := range map[string]func(path string) error{
		"open to others": func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o755)) },
		"a link":         func(p string) error { return os.Symlink(dir, p) },
		"a file":         func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"somebody else's": func(p string) error {
			if os.Geteuid() != 0 {
				return os.WriteFile(p, nil, 0o600) // cannot be made; a file is refused, too
			}
			return errors.Join(os.Mkdir(p, 0o700), os.Chown(p, 12345, 12345))
		},
	} {
		path := filepath.Join(base, name)
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		if err := makePrivate(path); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestReplacementCutShort: a process that is killed between setting a journal
// aside and taking over what it knew leaves a fresh one that looks like that of
// a first start. The next start goes on.
func TestReplacementCutShort(t *testing.T) {
	c := &config.Config{StateDir: t.TempDir(), Sources: []config.Source{{Name: "www"}}}
	j, _, err := startOpen(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := j.Source("www")
	if err != nil {
		t.Fatal(err)
	}
	gone := journal.Observation{Path: "gone", State: journal.State{Type: journal.File, Ino: 7, Size: 1}, At: 1}
	if _, err := s.Record(t.Context(), []journal.Observation{gone}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if err := writeFile(replacing(c.JournalDir()), []byte(now.Format(time.RFC3339Nano))); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.SetAside(c.JournalDir(), now); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"at the next start", "and at the one after it, if that was killed, too"} {
		j, lost, err := startOpen(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		s, err := j.Source("www")
		if err != nil {
			t.Fatal(err)
		}
		if _, known, err := s.Lookup("gone"); !known || !lost || err != nil {
			t.Errorf("%s: known %v, lost %v, %v", when, known, lost, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
