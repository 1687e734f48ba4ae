package replicate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// chain is a watcher, a journal and a dispatcher with a real rsync.
type chain struct {
	tb       testing.TB
	base     string
	src, dst string
	o        replicate.Options

	tree *watch.Tree
	d    *replicate.Dispatcher
	stop func() // as a daemon does; closes the journal
}

// newChain makes the directories of one. opts change the options.
func newChain(tb testing.TB, opts ...func(*chain)) *chain {
	tb.Helper()
	base := tb.TempDir()
	c := &chain{tb: tb, base: base, src: base + "/src", dst: base + "/dst"}
	for _, dir := range []string{c.src, c.dst, base + "/fence"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	c.to(c.dst)
	c.o = replicate.Options{Source: "s", Name: "r", Root: c.src, Target: c.o.Target, Workers: 2, RunLock: base + "/lock",
		Retry: replicate.RetryOptions{Initial: 20 * time.Millisecond, Max: time.Second}}
	if os.Getenv("REPLICATE_LOG") != "" {
		c.o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for _, f := range opts {
		f(c)
	}
	return c
}

func (c *chain) to(target string) {
	t, err := replicate.ParseTarget(target)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.o.Target = t
}

// remotes are the ways to reach one that moves have to know.
var remotes = map[string]func(*chain){
	"local": func(*chain) {},
	"daemon": func(c *chain) {
		c.to(testbed.RunRsyncd(c.tb, testbed.Module{Name: "m", Path: c.dst}).Target("m"))
	},
	"daemon without chroot": func(c *chain) {
		m := testbed.Module{Name: "m", Path: c.base, Extra: []string{"use chroot = no", "munge symlinks = no"}}
		c.to(testbed.RunRsyncd(c.tb, m).Target("m/dst"))
	},
	"old daemon without chroot": func(c *chain) {
		m := testbed.Module{Name: "m", Path: c.base, Extra: []string{"use chroot = no", "munge symlinks = no"}}
		d := testbed.RunRsyncd(c.tb, m)
		d.Stop()
		d.Binary = testbed.OldRsync(c.tb)
		if err := d.Start(); err != nil {
			c.tb.Fatal(err)
		}
		c.to(d.Target("m/dst"))
	},
	"ssh": func(c *chain) {
		s := testbed.RunSSHD(c.tb)
		c.to(s.Target(c.dst))
		dir, err := os.MkdirTemp("/tmp", "gs")
		if err != nil {
			c.tb.Fatal(err)
		}
		c.tb.Cleanup(func() { os.RemoveAll(dir) })
		c.o.Rsync.SSH = replicate.SSHOptions{Port: s.Port, IdentityFile: s.IdentityFile, KnownHosts: s.KnownHosts, ControlDir: dir,
			Options: []string{"IdentitiesOnly=yes"}}
	},
}

// start begins, or goes on after stop.
func (c *chain) start() *chain {
	c.tb.Helper()
	j, err := journal.Open(journal.Options{Dir: c.base + "/journal"})
	if err != nil {
		c.tb.Fatal(err)
	}
	source, err := j.Source("s")
	if err != nil {
		c.tb.Fatal(err)
	}
	rem, err := source.Remote("r")
	if err != nil {
		c.tb.Fatal(err)
	}
	if c.tree, err = watch.New(watch.Options{Root: c.src, Index: source, Roots: source, FenceDir: c.base + "/fence"}); err != nil {
		c.tb.Fatal(err)
	}
	o := c.o
	o.Feed, o.Tree, o.Store, o.Ready, o.Fence = source, source, rem, c.tree.Ready(), c.tree.Fence
	if c.d, err = replicate.New(o); err != nil {
		c.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{c.tree.Run, c.d.Run} {
		wg.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				c.tb.Error(err)
			}
		})
	}
	c.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		if rep, err := j.Check(context.Background()); err != nil || len(rep.Problems) > 0 {
			c.tb.Errorf("journal check: %v %q", err, rep.Problems)
		}
		j.Close()
	})
	c.tb.Cleanup(c.stop)
	return c
}

// sync waits until everything has arrived and fails unless the trees are equal.
func (c *chain) sync() {
	c.tb.Helper()
	c.fence()
	testbed.WaitEqual(c.tb, c.src, c.dst, 5*time.Second)
}

// fence waits until everything has arrived.
func (c *chain) fence() {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	seq, err := c.tree.Fence(ctx)
	if err == nil {
		err = c.d.WaitFor(ctx, seq, nil)
	}
	if err != nil {
		c.tb.Fatalf("%v; status %+v", err, c.d.Status())
	}
}

// until polls a condition: rsync's processes have no clock that a test could
// turn.
func (c *chain) until(what string, cond func() bool) {
	c.tb.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.tb.Fatalf("not yet: %s; status %+v", what, c.d.Status())
		}
	}
}

// wire is what the dispatcher has sent and received since its start.
func (c *chain) wire() int64 { return c.d.Status().WireBytes }

// fill makes a directory of dirs times files with a size each, none of whose
// contents are alike.
func (c *chain) fill(dir string, dirs, files, size int) {
	c.tb.Helper()
	for i := range dirs {
		sub := fmt.Sprintf("%s/%s/d%d", c.src, dir, i)
		if err := os.MkdirAll(sub, 0o755); err != nil {
			c.tb.Fatal(err)
		}
		for k := range files {
			text := strings.Repeat(fmt.Sprintf("%s %d %d %d\n", dir, i, k, time.Now().UnixNano()), size/20)[:size]
			c.write(fmt.Sprintf("%s/d%d/f%d", dir, i, k), text)
		}
	}
}

func (c *chain) write(name, text string) {
	c.tb.Helper()
	p := filepath.Join(c.src, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), 0o644)); err != nil {
		c.tb.Fatal(err)
	}
}

func (c *chain) rename(from, to string) {
	c.tb.Helper()
	p := filepath.Join(c.src, to)
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.Rename(filepath.Join(c.src, from), p)); err != nil {
		c.tb.Fatal(err)
	}
}

// ino is the inode of a path of the remote.
func (c *chain) ino(path string) uint64 {
	c.tb.Helper()
	fi, err := os.Lstat(filepath.Join(c.dst, path))
	if err != nil {
		c.tb.Fatal(err)
	}
	return fi.Sys().(*syscall.Stat_t).Ino
}
