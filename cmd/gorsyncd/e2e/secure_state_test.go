package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// allPrivate fails for everything in dir that others have access to.
func allPrivate(t *testing.T, dir string) {
	t.Helper()
	n := 0
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		n++
		if st := fi.Sys().(*syscall.Stat_t); fi.Mode().Perm()&0o077 != 0 || st.Uid != 0 && st.Uid != uint32(os.Geteuid()) {
			t.Errorf("%s: %v of user %d", p, fi.Mode(), st.Uid)
		}
		return nil
	}))
	if n < 5 {
		t.Errorf("only %d files in %s", n, dir)
	}
}

// TestStateIsPrivate: whatever the umask, also when a journal was set aside.
func TestStateIsPrivate(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	fill(t, src, 50)
	r := newRig(t, oneRemote(src, dst, ""))
	r.withoutUmask()
	r.flush(20 * time.Second)
	allPrivate(t, r.stateDir())
	r.kill9()
	must(t, os.Remove(filepath.Join(r.stateDir(), "journal", "MANIFEST")))
	r.withoutUmask()
	r.flush(20 * time.Second)
	if aside, _ := filepath.Glob(filepath.Join(r.stateDir(), "journal.lost-*")); len(aside) == 0 {
		t.Error("nothing was set aside")
	}
	allPrivate(t, r.stateDir())
	// rsync has the umask of the one who started us, not ours.
	if m := mode(t, filepath.Join(dst, "d1")); m != mode(t, filepath.Join(src, "d1")) {
		t.Errorf("mode of a replicated directory %o", m)
	}
}

// TestStateOfStrangers: a state directory that others could have prepared is
// refused, one that they could only read is closed.
func TestStateOfStrangers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for name, c := range map[string]struct {
		prepare func(t *testing.T, state string)
		refused string
	}{
		"foreign":  {func(t *testing.T, s string) { must(t, os.Mkdir(s, 0o700)); must(t, os.Chown(s, stranger, stranger)) }, "belongs to another user"},
		"writable": {func(t *testing.T, s string) { must(t, os.MkdirAll(s+"/planted", 0o700)); must(t, os.Chmod(s, 0o777)) }, "could be written to by others"},
		"sticky": {func(t *testing.T, s string) {
			must(t, os.MkdirAll(s+"/planted", 0o700))
			must(t, os.Chmod(s, 0o777|os.ModeSticky))
		}, "could be written to by others"},
		"link": {func(t *testing.T, s string) {
			must(t, os.Symlink(t.TempDir(), s))
			must(t, os.Lchown(s, stranger, stranger))
		}, "symbolic link of user 65534"},
		"foreign above": {func(t *testing.T, s string) { must(t, os.Chown(filepath.Dir(s), stranger, stranger)) }, "belongs to user 65534"},
		"readable":      {func(t *testing.T, s string) { must(t, os.Mkdir(s, 0o755)) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, dst := trees(t)
			state := filepath.Join(openDir(t), "above", "state") // removed after the daemon has ended
			r := newRig(t, "")
			must(t, os.Mkdir(filepath.Dir(state), 0o755))
			r.dir = filepath.Dir(state)
			r.config = filepath.Join(t.TempDir(), "c.yaml")
			r.setConfig(oneRemote(src, dst, ""))
			c.prepare(t, state)
			if c.refused != "" {
				r.refuses(77, "E-STATE-DIR", c.refused, "mode 700")
				must(t, os.RemoveAll(state))
				return
			}
			r.start()
			if m := mode(t, state); m != 0o700 {
				t.Errorf("mode %o", m)
			}
			contains(t, r.readLog(), "E-STATE-DIR", "could be read by others")
		})
	}
}

// TestTemporaryCopy: what journal inspect copies after a crash is private, and
// gone whatever ends the command.
func TestTemporaryCopy(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	r := newRig(t, oneRemote(src, dst, ""))
	r.start()
	r.flush(20 * time.Second)
	r.mustCLI("pause", "src/r")
	for i := range 3000 {
		write(t, filepath.Join(src, fmt.Sprintf("d%d/%s%d", i%7, strings.Repeat("long", 20), i)), "x")
	}
	r.waitFor("the changes to be journaled", 20*time.Second, func() bool { return r.status().Journal.Entries >= 3000 })
	r.kill9()
	for _, end := range []string{"TERM", "INT", "HUP", "head"} {
		t.Run(end, func(t *testing.T) {
			tmp := t.TempDir()
			must(t, os.Chmod(tmp, 0o777))
			cmd := exec.Command("sh", "-c", "umask 000; exec "+binary+" --config "+r.config+" --socket "+r.socket+" journal inspect")
			cmd.Env = append(env(), "TMPDIR="+tmp)
			var msg bytes.Buffer
			cmd.Stderr = &msg
			out, err := cmd.StdoutPipe()
			must(t, err)
			p, err := testbed.StartProcess(cmd)
			must(t, err)
			defer p.Kill()
			rd := bufio.NewReader(out)
			_, err = rd.ReadString('\n')
			must(t, err) // it has begun, and waits for us to read on
			copies, err := filepath.Glob(filepath.Join(tmp, "*"))
			must(t, err)
			if len(copies) != 1 {
				t.Fatalf("copies: %q", copies)
			}
			allPrivate(t, copies[0])
			if end != "head" {
				must(t, p.Signal(map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP}[end]))
			}
			must(t, out.Close())
			select {
			case <-p.Done():
			case <-time.After(20 * time.Second):
				t.Fatal("it goes on")
			}
			if p.Wait() == nil {
				t.Error("exit 0")
			}
			if left, _ := os.ReadDir(tmp); len(left) > 0 {
				t.Errorf("left behind: %v\n%s", left, msg.String())
			}
		})
	}
}
