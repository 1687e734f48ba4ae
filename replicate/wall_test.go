package replicate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/bench/testbed"
)

// needMounts says what a machine lacks for the tests of wallIn.
func needMounts(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root (CAP_SYS_ADMIN) to make mount namespaces")
	}
}

func openDir(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// led is a source whose directory a was replaced by a link of root to a
// directory with a secret, after a/f and a had been chosen to be sent.
func led(t *testing.T) (g *rig, batches map[string]*Batch) {
	g = newRig(t)
	secret := t.TempDir()
	write(t, secret, map[string]string{"f": "SECRET", "other": "SECRET"})
	write(t, g.src, map[string]string{"b": "fine", "sub/c": "fine"})
	if err := os.Symlink(secret, filepath.Join(g.src, "a")); err != nil {
		t.Fatal(err)
	}
	return g, map[string]*Batch{
		"list":      {Lane: LaneList, Paths: []string{"a/f", "sub/c"}},
		"top":       {Lane: LaneTop, Paths: []string{"a/f", "b"}},
		"big":       {Lane: LaneBig, Paths: []string{"a/f"}},
		"content":   {Lane: LaneList, Content: true, Paths: []string{"a/f"}},
		"removals":  {Lane: LaneList, Removes: true, Paths: []string{"a/f", "a/gone"}},
		"reconcile": {Lane: LaneReconcile, Paths: []string{"a", "sub"}},
	}
}

// leaked tells whether the secret has come to dir.
func leaked(t *testing.T, dir string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			b, rerr := os.ReadFile(p)
			found, err = found || strings.Contains(string(b), "SECRET"), rerr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// unconfined behaves as every version before 3.5.0.
func unconfined(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rsync")
	const script = `#!/bin/sh
case "$*" in *--confine-root*|*--insecure-links*) echo "rsync: unknown option" >&2; exit 1; esac
exec rsync --insecure-links "$@"
`
	// Not written by us: while another test starts a process, our open file
	// would be in it, and could not be run.
	cmd := exec.Command("sh", "-c", `umask 077; cat >"$0" && chmod 700 "$0"`, path)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	return path
}

// TestNotLedOut: rsync reads nothing outside of the source, on each of the ways,
// whatever has become of a directory since it was looked at, also if the link is
// one of root's, which rsync follows by itself.
func TestNotLedOut(t *testing.T) {
	needMounts(t)
	d := testbed.RunRsyncd(t)
	secrets, err := d.WriteSecrets("secrets", "u:pw\n", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	pass, err := d.WriteSecrets("pass", "pw\n", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for name, way := range map[string]struct {
		old, password bool
		err           error // why there is no mount namespace
		leaks         bool
	}{
		"as it is":                        {},
		"mounted":                         {password: true},
		"mounted, old":                    {old: true},
		"mounted, old, with password":     {old: true, password: true},
		"confined, no namespaces":         {err: errWall},
		"nothing, with password":          {password: true, err: errWall, leaks: true},
		"nothing, before 3.5.0":           {old: true, err: errWall, leaks: true},
		"nothing, before 3.5.0, password": {old: true, password: true, err: errWall, leaks: true},
	} {
		t.Run(name, func(t *testing.T) {
			g, batches := led(t)
			if err := d.SetModules(testbed.Module{Name: "m", Path: g.dst, Extra: []string{"auth users = u", "secrets file = " + secrets}},
				testbed.Module{Name: "free", Path: g.dst}); err != nil {
				t.Fatal(err)
			}
			targetsOf := []string{g.dst, d.Target("free")}
			if way.password {
				targetsOf = []string{d.UserTarget("u", "m")}
			}
			for _, target := range targetsOf {
				g.to(target)
				o := g.o
				o.Delete = DeleteAll
				if way.old {
					o.Rsync.Path = unconfined(t)
				}
				if way.password {
					o.Rsync.PasswordFile = pass
				}
				o.setDefaults()
				for kind, b := range batches {
					tr := newRsyncTransport(&o)
					tr.wall.err = way.err
					res := tr.Run(t.Context(), b, Send)
					if got := leaked(t, g.dst); got != way.leaks {
						t.Errorf("%s to %s: secret sent: %v\nexit %d %s", kind, target, got, res.Exit, res.Stderr)
					}
					// Of a directory rsync may also send the link that it is now.
					if !way.leaks && kind != "reconcile" && res.Outcome.ID != "E-SRC-LINK" {
						t.Errorf("%s to %s: %+v", kind, target, res.Outcome)
					}
					if err := errors.Join(os.RemoveAll(g.dst), os.Mkdir(g.dst, 0o755)); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// TestNotLedAround: a directory was replaced by a link to another directory of the
// source after what it had was chosen to be sent. A remote with an older link in
// its place is not written to where that one leads.
func TestNotLedAround(t *testing.T) {
	needMounts(t)
	for _, kind := range []string{"daemon", "local"} {
		t.Run(kind, func(t *testing.T) {
			g := newRig(t, targets[kind])
			outside := t.TempDir()
			write(t, g.src, map[string]string{"sub/f": "of sub", "b/f": "of b", "c/f": "of c"})
			write(t, g.dst, map[string]string{"other/keep": "1"})
			if err := errors.Join(os.Symlink("sub", filepath.Join(g.src, "a")),
				os.Symlink("other", filepath.Join(g.dst, "a")),
				os.Symlink("other", filepath.Join(g.dst, "b")), os.Symlink(outside, filepath.Join(g.dst, "c"))); err != nil {
				t.Fatal(err)
			}
			o := g.o
			o.setDefaults()
			tr := newRsyncTransport(&o)
			for name, b := range map[string]*Batch{
				"list":    {Lane: LaneList, Paths: []string{"a/f"}},
				"top":     {Lane: LaneTop, Paths: []string{"a/f"}},
				"big":     {Lane: LaneBig, Paths: []string{"a/f"}},
				"content": {Lane: LaneList, Content: true, Paths: []string{"a/f"}},
			} {
				res := tr.Run(t.Context(), b, Send)
				if _, err := os.Lstat(filepath.Join(g.dst, "other/f")); !os.IsNotExist(err) {
					t.Errorf("%s: written behind a link of the remote (%v): %+v", name, err, res.Outcome)
				}
				if res.Outcome.ID != "E-SRC-LINK" {
					t.Errorf("%s: %+v", name, res.Outcome)
				}
			}
			if kind != "local" {
				return // where such links lead is the remote's own matter
			}
			// What stands in the way of a directory makes way for it.
			res := tr.Run(t.Context(), &Batch{Lane: LaneBig, Paths: []string{"b/f", "c/f"}}, Send)
			for _, p := range []string{filepath.Join(g.dst, "other/f"), filepath.Join(outside, "f")} {
				if _, err := os.Lstat(p); !os.IsNotExist(err) {
					t.Errorf("written behind a link of the target: %s (%v): %+v", p, err, res.Outcome)
				}
			}
			if res := tr.Run(t.Context(), &Batch{Lane: LaneList, Paths: []string{"b", "b/f", "c", "c/f"}}, Send); res.Outcome.Class != ClassOK {
				t.Errorf("%+v %s", res.Outcome, res.Stderr)
			}
			for _, p := range []string{"b/f", "c/f"} {
				if fi, err := os.Lstat(filepath.Join(g.dst, p)); err != nil || !fi.Mode().IsRegular() {
					t.Errorf("%s did not arrive: %v", p, err)
				}
			}
		})
	}
}

// TestDeepIsReached: rsync reaches a path of any depth on each of the ways.
func TestDeepIsReached(t *testing.T) {
	needMounts(t)
	for name, no := range map[string]error{"mounts": nil, "no mounts": errWall} {
		for _, depth := range []int{confinedDepth - 1, confinedDepth, 63, 64, 65, 200} {
			t.Run(fmt.Sprint(name, depth), func(t *testing.T) {
				t.Parallel()
				g := newRig(t)
				dir := strings.Repeat("d/", depth)
				write(t, g.src, map[string]string{dir + "f": "1"})
				old := time.Unix(1e9, 1)
				for _, p := range []string{dir + "f", dir} {
					if err := os.Chtimes(filepath.Join(g.src, p), old, old); err != nil {
						t.Fatal(err)
					}
				}
				o := g.o
				o.setDefaults()
				tr := newRsyncTransport(&o)
				tr.wall.err = no
				var paths []string
				for i := range depth {
					paths = append(paths, strings.Repeat("d/", i)+"d")
				}
				for _, b := range []*Batch{
					{Lane: LaneList, Paths: append(slices.Clone(paths), dir+"f")},
					{Lane: LaneReconcile, Paths: paths},
					{Lane: LaneList, Content: true, Paths: []string{dir + "f", paths[depth-1]}},
				} {
					if res := tr.Run(t.Context(), b, Send); res.Outcome.Class != ClassOK {
						t.Fatalf("%+v %s", res.Outcome, res.Stderr)
					}
					for _, p := range []string{dir + "f", dir} {
						if fi, err := os.Stat(filepath.Join(g.dst, p)); err != nil || !fi.ModTime().Equal(old) {
							t.Errorf("%d bytes of path: %v %v", len(p), fi, err)
						}
					}
				}
			})
		}
	}
}

// TestWallsStayInside: what is mounted for rsync is seen by nobody else.
func TestWallsStayInside(t *testing.T) {
	needMounts(t)
	dir := t.TempDir()
	mine := func() string {
		ns, err := os.Readlink("/proc/thread-self/ns/mnt")
		if err != nil {
			t.Error(err)
		}
		table, err := os.ReadFile("/proc/thread-self/mountinfo")
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(table), dir) {
			t.Errorf("mounted here:\n%s", table)
		}
		return ns
	}
	before := mine()
	root := openDir(t, dir)
	for range 20 {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				ownThread(func() {
					if unix.Gettid() == unix.Getpid() {
						t.Error("on the main thread")
					}
					tree, err := wallIn(root, nil)
					if err != nil {
						t.Error(err)
						return
					}
					tree.Close()
					if ns, _ := os.Readlink("/proc/thread-self/ns/mnt"); ns == before {
						t.Error("no namespace of its own")
					}
				})
				if ns := mine(); ns != before {
					t.Errorf("another goroutine got the thread: %s", ns)
				}
			})
		}
		wg.Wait()
	}
	main, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil || main != before {
		t.Errorf("the process is in %s, %v; before in %s", main, err, before)
	}
}

// TestWallTellsWhichMoved: what is not where it was opened is told apart.
func TestWallTellsWhichMoved(t *testing.T) {
	needMounts(t)
	stay, leave := openDir(t, t.TempDir()), openDir(t, t.TempDir())
	over := leave.Name()
	if err := unix.Mount("tmpfs", over, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(over, 0); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		root, dest *os.File
		want       error
	}{{stay, leave, errDestMoved}, {leave, stay, errRootMoved}, {stay, stay, nil}} {
		ownThread(func() {
			tree, err := wallIn(c.root, c.dest)
			if tree != nil {
				tree.Close()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// TestSubmountsAreWalledIn: a file system mounted below the source is sent, and
// has no way out either.
func TestSubmountsAreWalledIn(t *testing.T) {
	needMounts(t)
	g, _ := led(t)
	sub := filepath.Join(g.src, "sub")
	if err := unix.Mount("tmpfs", sub, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(sub, 0); err != nil {
			t.Error(err)
		}
	})
	write(t, sub, map[string]string{"m": "fine"})
	secret, err := os.Readlink(filepath.Join(g.src, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(sub, "a")); err != nil {
		t.Fatal(err)
	}
	o := g.o
	o.Rsync.Path = unconfined(t)
	o.setDefaults()
	res := newRsyncTransport(&o).Run(t.Context(), &Batch{Lane: LaneList, Paths: []string{"sub/a/f", "sub/m"}}, Send)
	if b, err := os.ReadFile(filepath.Join(g.dst, "sub/m")); string(b) != "fine" || leaked(t, g.dst) {
		t.Errorf("%q %v, leaked %v: %+v", b, err, leaked(t, g.dst), res)
	}
}

// TestRemovalBelowALink: a path is gone, and what was its directory is a link to
// a place that has one of that name. It is removed on the remote; what the link
// leads to is neither sent nor taken for the path.
func TestRemovalBelowALink(t *testing.T) {
	for name, path := range map[string]string{"rsync": "rsync", "rsync before 3.5.0": unconfined(t)} {
		t.Run(name, func(t *testing.T) {
			needMounts(t)
			g := newRig(t, targets["daemon"], func(g *rig) { g.o.Rsync.Path = path }).start()
			write(t, g.src, map[string]string{"d/e/f": "1", "d/sub/f": "1", "other": "1"})
			g.sync()
			secret := t.TempDir()
			write(t, secret, map[string]string{"e/f": "SECRET", "sub/f": "SECRET"})
			if err := errors.Join(os.RemoveAll(g.src+"/d"), os.Symlink(secret, g.src+"/d")); err != nil {
				t.Fatal(err)
			}
			// The entries below came before the one of d.
			g.j.remove("d/e/f", 1)
			g.j.remove("d/sub", 1)
			g.sync()
			g.equal()
			if left, err := g.r.Retries(); err != nil || len(left) > 0 || leaked(t, g.dst) {
				t.Errorf("leaked %v, retry set %v, %v", leaked(t, g.dst), left, err)
			}
		})
	}
}
