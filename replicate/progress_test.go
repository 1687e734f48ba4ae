package replicate

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestProgressOfABigFile: what is said of a file only grows, never past its size,
// and comes to it, whatever the transport; the name of the file may be anything.
func TestProgressOfABigFile(t *testing.T) {
	const size = 3 << 20
	file := "d/b\xffi\n g (deleted)x"
	ways := maps.Clone(targets)
	ways["an old rsync"] = func(g *rig) {
		targets["daemon"](g)
		g.o.Rsync.Path = testbed.OldRsync(g.tb)
	}
	ways["only what differs"] = func(g *rig) {
		targets["daemon"](g)
		g.o.Rsync.BWLimit = limitOf(1 << 19) // or the last of it is there for a moment only
		write(g.tb.(*testing.T), g.dst, map[string]string{"d/small": "1"})
		b := make([]byte, size) // half of it is there
		if old, err := os.ReadFile(filepath.Join(g.src, file)); err != nil || copy(b, old[:size/2]) != size/2 {
			g.tb.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(g.dst, file), b, 0o644); err != nil {
			g.tb.Fatal(err)
		}
	}
	for name, to := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newRig(t, func(g *rig) {
				g.o.BigFile = 1 << 20
				g.o.Rsync.BWLimit = limitOf(2 << 20)
				write(t, g.src, map[string]string{"d/small": "1"})
				randomFile(t, filepath.Join(g.src, file), size)
			}, to)
			g.start()
			seq := g.j.scan(t, false)
			var last FileProgress
			var bytesDone int64
			var rated bool
			g.until("sent", func() bool {
				st := g.d.Status()
				if before := st; len(before.InFlight) > 0 && before.InFlight[0].Current != nil {
					t.Fatal("a status looks without being asked")
				}
				st.Progress(time.Now())
				for _, b := range st.InFlight {
					if b.BytesDone < 0 || b.BytesDone > b.Bytes {
						t.Fatalf("batch: %d of %d", b.BytesDone, b.Bytes)
					}
					if b.Current == nil || b.Current.Path != file {
						continue
					}
					if c := *b.Current; c.Size != size || c.Done > c.Size || c.Done < last.Done || b.BytesDone < bytesDone || b.BytesDone < c.Done {
						t.Fatalf("%v after %v; %d of %d after %d", b.Current, &last, b.BytesDone, b.Bytes, bytesDone)
					}
					last, bytesDone = *b.Current, b.BytesDone
					rated = rated || b.Rate > 0
				}
				return st.CursorSeq >= seq
			})
			if last.Done != size || bytesDone != size || !rated {
				t.Errorf("at last %v, %d; rated: %v", &last, bytesDone, rated)
			}
			g.wait(seq)
			g.equal()
		})
	}
}

// TestProgressOfNobody: before a process has begun and after it has ended.
func TestProgressOfNobody(t *testing.T) {
	p := &progress{}
	s := BatchStatus{Bytes: 7}
	p.fill(&s, time.Now())
	c := p.take()
	p.fill(&s, time.Now())
	if s.Current != nil || s.BytesDone != 0 {
		t.Errorf("%+v", s)
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	c.begin(1<<22+1, dir) // above every id
	if read, file, pos := c.look(); read != 0 || file != "" || pos != 0 {
		t.Errorf("%d %q %d of a process that is not there", read, file, pos)
	}
	c.end()
	var none *child
	none.begin(1, dir)
	none.end()
}

// TestOpenBelow looks at ourselves.
func TestOpenBelow(t *testing.T) {
	dir := t.TempDir()
	path, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	look := func() (string, int64) { return openBelow("/proc/self", path+"/") }
	open := func(name string, pos int64) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			_, err = f.WriteAt(make([]byte, 100), 0)
		}
		if err == nil {
			_, err = f.Seek(pos, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	sub, err := os.Open(dir) // the directory itself is not below it
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	f := open("f", 0)
	if file, _ := look(); file != "" {
		t.Errorf("%q was not read yet", file)
	}
	if _, err := f.Seek(42, 0); err != nil {
		t.Fatal(err)
	}
	if file, pos := look(); file != "f" || pos != 42 {
		t.Errorf("%q at %d", file, pos)
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if file, pos := look(); file != "moved" || pos != 42 {
		t.Errorf("%q at %d", file, pos)
	}
	if err := os.Remove(filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if file, _ := look(); file != "" {
		t.Errorf("%q has no name any more", file)
	}
	f.Close()
}

// TestProgressWithChecksums: what is read to compare is not taken for what was sent.
func TestProgressWithChecksums(t *testing.T) {
	const size = 3 << 20
	g := newRig(t, targets["daemon"], func(g *rig) {
		g.o.Rsync.BWLimit = limitOf(2 << 20)
		write(t, g.src, map[string]string{"d/small": "1"})
		randomFile(t, filepath.Join(g.src, "d/big"), size)
	})
	g.j.scan(t, false)
	g.r = newMemRemote(g.j.Head()) // which has all of it, as far as is known
	g.o.Store = g.r
	g.start()
	if err := g.d.FullSync(t.Context(), FullSyncRequest{Reason: "test", Checksum: true}); err != nil {
		t.Fatal(err)
	}
	var most, last int64
	g.until("done", func() bool {
		st := g.d.Status()
		st.Progress(time.Now())
		for _, b := range st.InFlight {
			if b.BytesDone < last && b.Sample == "d" {
				t.Fatalf("%d after %d", b.BytesDone, last)
			}
			if b.Sample == "d" {
				last = b.BytesDone
			}
			most = max(most, b.BytesDone)
			if c := b.Current; c != nil && c.Done < size/2 && b.BytesDone > size*3/4 {
				t.Fatalf("%v, and %d of %d", c, b.BytesDone, b.Bytes)
			}
		}
		return st.FullSync == nil
	})
	if most < size*3/4 {
		t.Errorf("%d at most", most)
	}
}

// TestProgressOfAFullSync: what is under way counts, also before anything is done.
func TestProgressOfAFullSync(t *testing.T) {
	left := int64(1000)
	one := Status{FullSync: &FullSyncStatus{BytesLeft: &left, spent: 10 * time.Second, leftOver: 1000, bytesLeft: 1000},
		InFlight: []BatchStatus{{full: true, BytesDone: 100}, {BytesDone: 5000}, {full: true, BytesDone: 100}}}
	two := one
	two.Progress(time.Now())
	two.Progress(time.Now()) // the same again
	if f := two.FullSync; *f.BytesLeft != 800 || f.SecondsLeft == nil || *f.SecondsLeft != 40 {
		t.Errorf("%d bytes, %v seconds", *f.BytesLeft, f.SecondsLeft)
	}
	if *one.FullSync.BytesLeft != 1000 || one.FullSync.SecondsLeft != nil {
		t.Error("the status of others has changed")
	}
	one.InFlight[0].BytesDone = 1 << 40
	one.Progress(time.Now())
	if f := one.FullSync; *f.BytesLeft != 0 || *f.SecondsLeft != 0 {
		t.Errorf("%d bytes, %v seconds", *f.BytesLeft, *f.SecondsLeft)
	}
	none := Status{FullSync: &FullSyncStatus{}}
	none.Progress(time.Now())
	if none.FullSync.SecondsLeft != nil || none.FullSync.BytesLeft != nil {
		t.Errorf("%+v", none.FullSync)
	}
}

// TestBytesOfAFullSync: the files that were sent, not those that were compared.
func TestBytesOfAFullSync(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	write(t, g.src, map[string]string{"d/a": "12345", "d/b": "123", "e": "1"})
	g.j.scan(t, false)
	g.r = newMemRemote(g.j.Head())
	g.o.Store = g.r
	g.start()
	for _, want := range []int64{9, 9, 12} {
		if want == 12 {
			if err := os.Remove(filepath.Join(g.dst, "d/b")); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.d.FullSync(t.Context(), FullSyncRequest{Reason: "test"}); err != nil {
			t.Fatal(err)
		}
		g.until("done", func() bool { return g.d.Status().FullSync == nil })
		if got := g.d.Status().Bytes; got != want {
			t.Errorf("%d bytes, want %d", got, want)
		}
	}
}
