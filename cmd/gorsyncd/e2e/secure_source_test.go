package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/bench/testbed"
)

// oldRsync follows symbolic links as every version before 3.5.0 does.
func oldRsync(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rsync-old")
	script(t, path, `case "$*" in *--confine-root*|*--insecure-links*) echo "rsync: unknown option" >&2; exit 1; esac
exec rsync --insecure-links "$@"
`)
	return path
}

// leaks tells which files in dir hold the secret.
func leaks(t *testing.T, dir, secret string) (out []string) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // the remote is changing
		}
		if b, err := readPlain(p); err == nil && strings.Contains(string(b), secret) {
			out = append(out, p)
		}
		return nil
	})
	return out
}

// readPlain reads a file without being led away by symbolic links, with which
// the replicas are full.
func readPlain(path string) ([]byte, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	return io.ReadAll(f)
}

// TestSourceOfAnAttacker: who may write in a source exchanges directories for
// symbolic links, to files that only root may read, as fast as the kernel lets
// him. Nothing of them gets to a remote, whatever rsync is used, and when he
// rests the replicas are right.
func TestSourceOfAnAttacker(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const secret = "ONLY-FOR-ROOT"
	private := filepath.Join(openDir(t), "private")
	must(t, os.Mkdir(private, 0o700))
	base := openDir(t)
	src, viaOld, viaNew := mkdir(t, base, "src"), mkdir(t, base, "old"), mkdir(t, base, "new")
	for d := range 4 {
		dir := mkdir(t, src, fmt.Sprintf("d%d", d), "sub")
		for i := range 5 {
			write(t, filepath.Join(private, fmt.Sprintf("f%d", i)), secret)
			write(t, filepath.Join(private, "sub", fmt.Sprintf("f%d", i)), secret)
			write(t, filepath.Join(dir, fmt.Sprintf("f%d", i)), "public")
		}
		must(t, os.Symlink(private, filepath.Join(src, fmt.Sprintf("l%d", d))))
	}
	run(t, "chown", "-R", "-h", fmt.Sprint(stranger), src)
	// One link is root's: rsync 3.5.0 follows those by itself.
	must(t, os.Lchown(filepath.Join(src, "l0"), 0, 0))

	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: viaOld})
	r := newRig(t, fmt.Sprintf(`
sources:
  - path: %s
    name: src
    remotes:
      - {name: old, target: %q, rsync: {path: %s}}
      - {name: new, target: %s}
defaults: {retry: {initial: 300ms, max: 5s}, delete: all, guard: {max_delete: 0}}
`, src, d.Target("m"), oldRsync(t), viaNew))
	r.start()
	r.flush(20 * time.Second)
	var attackers []*testbed.Process
	for i, pause := range []string{"0", "200us", "2ms", "30ms"} {
		cmd := helperCommand(t, "swap", filepath.Join(src, fmt.Sprintf("d%d", i)), filepath.Join(src, fmt.Sprintf("l%d", i)), pause)
		p, err := testbed.StartProcess(cmd)
		must(t, err)
		attackers = append(attackers, p)
		t.Cleanup(p.Kill)
	}
	// What was there for a moment only was sent as well.
	var seen []string
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				seen = append(seen, append(leaks(t, viaOld, secret), leaks(t, viaNew, secret)...)...)
			}
		}
	}()
	rnd := rand.New(rand.NewPCG(seed(t), 1))
	for n := 0; n < 15; n++ {
		for range 20 { // by whichever name the directory has now
			dir := fmt.Sprintf("%s%d", []string{"d", "l"}[rnd.IntN(2)], rnd.IntN(4))
			name := filepath.Join(src, dir, "sub", fmt.Sprintf("f%d", rnd.IntN(5)))
			if f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0); err == nil {
				if b := filepath.Join(private, "sub"); !inside(t, f, b) {
					_, _ = f.WriteString("public " + fmt.Sprint(n))
				} else {
					_, _ = f.WriteString(secret) // we were led away, too
				}
				f.Close()
			}
		}
		if n%5 == 2 {
			_, _, _ = r.cli("sync", "src/*") // may be refused while the source is in turmoil
		}
		time.Sleep(200 * time.Millisecond)
	}
	for _, p := range attackers {
		p.Kill()
	}
	close(stop)
	<-ended
	if len(seen) > 0 {
		t.Errorf("on the remotes, for a while: %.2000q", seen)
	}
	r.mustCLI("sync", "src/*")
	r.flush(60 * time.Second)
	for _, dst := range []string{viaOld, viaNew} {
		if found := leaks(t, dst, secret); len(found) > 0 {
			t.Errorf("on the remote: %q", found)
		}
		testbed.WaitEqual(t, src, dst, 20*time.Second)
	}
}

// inside tells whether an open file is one of a directory.
func inside(t *testing.T, f *os.File, dir string) bool {
	t.Helper()
	mine, err := f.Stat()
	must(t, err)
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		if fi, err := e.Info(); err == nil && os.SameFile(fi, mine) {
			return true
		}
	}
	return false
}
