package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func journalRows() []*row {
	return []*row{
		{name: "damage", what: "with the daemon down: a byte flipped, a page zeroed, the tail cut, a file emptied or deleted; in tables, write-ahead log, MANIFEST, value log, key registry, side file", setup: deleteAll, inject: damageJournal},
		{name: "damage-live", what: "bytes flipped in tables below the running daemon", setup: deleteAll, inject: damageLive},
		{name: "journal-gone", what: "the journal's directory or its side file is deleted", setup: deleteAll, inject: journalGone},
		{name: "journal-old", what: "the journal's directory is set back to a copy from before, with and without its side file", setup: deleteAll, inject: journalOld},
		{name: "journal-foreign", what: "the journal of another machine in place of ours", setup: deleteAll, inject: journalForeign},
	}
}

// deleteAll is for rows in which the journal or the remotes are set back: that a
// path was removed is known to nobody then, and delete: tracked keeps it.
func deleteAll(w *world) error {
	w.settings += ", delete: all"
	return nil
}

func (w *world) journalDir() string { return filepath.Join(w.state, "journal") }

// stopped runs fn while the daemon is down, after a crash or a clean end.
func (w *world) stopped(fn func() error) error {
	w.after(50*time.Millisecond, 700*time.Millisecond)
	if w.rnd.IntN(2) == 0 {
		w.daemon.Stop()
	} else if err := w.kill(); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return err
	}
	w.after(0, 200*time.Millisecond) // changes go on
	return w.start()
}

// journalFiles lists what can be damaged.
func (w *world) journalFiles() ([]string, error) {
	entries, err := os.ReadDir(w.journalDir())
	if err != nil {
		return nil, err
	}
	files := []string{w.journalDir() + ".check"}
	for _, e := range entries {
		if e.Type().IsRegular() {
			files = append(files, filepath.Join(w.journalDir(), e.Name()))
		}
	}
	return files, nil
}

func damageJournal(w *world) error {
	return w.stopped(func() error {
		files, err := w.journalFiles()
		if err != nil {
			return err
		}
		// Each kind of file is as likely as any other.
		kinds := map[string][]string{}
		for _, f := range files {
			kind := filepath.Ext(f)
			if kind == "" {
				kind = filepath.Base(f)
			}
			kinds[kind] = append(kinds[kind], f)
		}
		names := make([]string, 0, len(kinds))
		for k := range kinds {
			names = append(names, k)
		}
		slices.Sort(names)
		list := kinds[names[w.rnd.IntN(len(names))]]
		return w.damage(list[w.rnd.IntN(len(list))])
	})
}

// damage spoils one file in one of five ways.
func (w *world) damage(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.Size() == 0 || w.rnd.IntN(8) == 0 {
		w.fault("delete %s", path)
		return os.Remove(path)
	}
	at := w.rnd.Int64N(st.Size())
	if strings.HasSuffix(path, ".mem") || strings.HasSuffix(path, ".vlog") {
		at = w.rnd.Int64N(min(st.Size(), 1+w.rnd.Int64N(st.Size()))) // what is used is at the beginning
	}
	switch w.rnd.IntN(4) {
	case 0:
		w.fault("cut %s at %d of %d", path, at, st.Size())
		return os.Truncate(path, at)
	case 1:
		w.fault("empty %s", path)
		return os.Truncate(path, 0)
	case 2:
		w.fault("zero a page of %s at %d", path, at)
		return overwrite(path, at, make([]byte, min(4096, st.Size()-at)))
	}
	w.fault("flip a byte of %s at %d of %d", path, at, st.Size())
	return flip(path, at)
}

func overwrite(path string, at int64, data []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(data, at)
	return err
}

func flip(path string, at int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= 0x5a
	_, err = f.WriteAt(b, at)
	return err
}

// damageLive flips bytes of tables. Badger maps them, so it sees them as soon
// as the block is not in its cache.
func damageLive(w *world) error {
	// A restart leaves everything in tables, and nothing in the block cache.
	w.daemon.Stop()
	if err := w.start(); err != nil {
		return err
	}
	w.after(50*time.Millisecond, 500*time.Millisecond)
	tables, err := filepath.Glob(filepath.Join(w.journalDir(), "*.sst"))
	if err != nil {
		return err
	}
	for _, t := range tables {
		st, err := os.Stat(t)
		if err != nil || st.Size() == 0 {
			continue // compacted away meanwhile
		}
		for range 1 + w.rnd.IntN(5) {
			at := w.rnd.Int64N(st.Size())
			w.fault("flip a byte of %s at %d of %d", t, at, st.Size())
			if err := flip(t, at); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	w.after(500*time.Millisecond, 2*time.Second)
	// What it has not run into is found at the next start, or by journal.verify.
	if w.rnd.IntN(2) == 0 {
		err = w.kill()
	} else {
		w.daemon.Stop()
	}
	if err != nil {
		return err
	}
	return w.start()
}

func journalGone(w *world) error {
	return w.stopped(func() error {
		what := []string{w.journalDir(), w.journalDir() + ".check", w.state}[w.rnd.IntN(3)]
		w.fault("delete %s", what)
		return os.RemoveAll(what)
	})
}

func copyTree(from, to string) error {
	out, err := exec.Command("cp", "-a", "--sparse=always", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return nil
}

func journalOld(w *world) error {
	old := filepath.Join(w.dir, "old")
	defer os.RemoveAll(old)
	w.after(0, 300*time.Millisecond)
	w.daemon.Stop()
	if err := copyTree(w.state, old); err != nil {
		return err
	}
	if err := w.start(); err != nil {
		return err
	}
	return w.stopped(func() error {
		if w.rnd.IntN(2) == 0 {
			w.fault("whole state directory set back")
			if err := os.RemoveAll(w.state); err != nil {
				return err
			}
			return copyTree(old, w.state)
		}
		w.fault("journal set back, side file not")
		if err := os.RemoveAll(w.journalDir()); err != nil {
			return err
		}
		return copyTree(filepath.Join(old, "journal"), w.journalDir())
	})
}

func journalForeign(w *world) error {
	other := filepath.Join(w.dir, "other")
	defer os.RemoveAll(other)
	if err := w.foreignState(other); err != nil {
		return err
	}
	return w.stopped(func() error {
		if err := os.RemoveAll(w.journalDir()); err != nil {
			return err
		}
		if w.rnd.IntN(2) == 0 {
			w.fault("whole state directory of another machine")
			if err := copyTree(filepath.Join(other, "state/journal.check"), w.journalDir()+".check"); err != nil {
				return err
			}
		} else {
			w.fault("journal of another machine, side file ours")
		}
		return copyTree(filepath.Join(other, "state/journal"), w.journalDir())
	})
}
