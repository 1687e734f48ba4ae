package replicate

import (
	"context"
	"os"
	"testing"
	"time"
)

// TestSameSecondSameSize: rsync compares whole seconds if it is not told
// otherwise, and would never send the second content.
func TestSameSecondSameSize(t *testing.T) {
	g := newRig(t).start()
	second := time.Unix(1_700_000_000, 0)
	for i, content := range []string{"one", "two", "six"} {
		write(t, g.src, map[string]string{"d/f": content, "top": content})
		for _, f := range []string{"/d/f", "/top"} {
			if err := os.Chtimes(g.src+f, time.Time{}, second.Add(time.Duration(i+1))); err != nil {
				t.Fatal(err)
			}
		}
		g.sync()
		g.equal()
	}
}

// syncSoon is sync for what fails quickly or never.
func (g *rig) syncSoon() {
	g.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := g.d.WaitFor(ctx, g.j.scan(g.tb, false), nil); err != nil {
		g.tb.Fatalf("%v; status %+v", err, g.d.Status())
	}
}

// TestNamesOfComments: to rsync a listed name that begins with # or ; is a
// comment, with NULs between names, too; it is passed over with exit 0.
func TestNamesOfComments(t *testing.T) {
	g := newRig(t).start()
	names := []string{"#", "# name", "#d/f", ";", ";name", ";d/f"}
	for _, n := range names {
		write(t, g.src, map[string]string{n: "x"})
	}
	g.syncSoon()
	g.equal()
	for _, n := range names {
		os.RemoveAll(g.src + "/" + n)
	}
	g.syncSoon()
	g.equal()
}

// TestNonEmptyDirectoriesGo: without --force rsync leaves a directory with
// something in it where it was, with exit 0 when it is to be removed.
func TestNonEmptyDirectoriesGo(t *testing.T) {
	g := newRig(t).start()
	write(t, g.src, map[string]string{"gone/a/b/f": "x", "file/a/f": "x", "d/link/f": "x", "d/gone/f": "x"})
	g.syncSoon()
	for _, d := range []string{"gone", "file", "d/link", "d/gone"} {
		os.RemoveAll(g.src + "/" + d)
	}
	write(t, g.src, map[string]string{"file": "now"})
	if err := os.Symlink("..", g.src+"/d/link"); err != nil {
		t.Fatal(err)
	}
	g.syncSoon()
	g.equal()
}
