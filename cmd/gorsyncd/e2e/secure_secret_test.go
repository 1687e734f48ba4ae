package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

const canary = "cAnArY-pAsSwOrD"

// watchProcesses looks for the canary in the command lines and environments of
// all processes until stop is called, which returns where it was, and how many
// rsyncs were seen.
func watchProcesses(t *testing.T) (stop func() (found []string, rsyncs int)) {
	t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	var found []string
	seen := map[string]bool{}
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
			}
			names, _ := filepath.Glob("/proc/[0-9]*")
			for _, p := range names {
				argv, _ := os.ReadFile(p + "/cmdline")
				environ, _ := os.ReadFile(p + "/environ")
				if bytes.Contains(argv, []byte(canary)) || bytes.Contains(environ, []byte(canary)) {
					found = append(found, fmt.Sprintf("%s %q", p, argv))
				}
				if bytes.Contains(argv, []byte("--password-file=")) {
					seen[p] = true
				}
			}
		}
	}()
	return sync.OnceValues(func() ([]string, int) { close(done); <-ended; return found, len(seen) })
}

// TestPasswordIsNowhere: not in any command line or environment, log, status,
// configuration or error.
func TestPasswordIsNowhere(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	d := testbed.RunRsyncd(t)
	secrets, err := d.WriteSecrets("secrets", "bob:"+canary+"\n", 0o600)
	must(t, err)
	pass, err := d.WriteSecrets("pass", canary+"\n", 0o600)
	must(t, err)
	m := testbed.Module{Name: "m", Path: dst, Extra: []string{"auth users = bob", "secrets file = " + secrets}}
	must(t, d.SetModules(m))
	r := newRig(t, oneRemote(src, d.UserTarget("bob", "m"), "defaults: {password_file: "+pass+", retry: {initial: 200ms, max: 1s}}"))
	stop := watchProcesses(t)
	t.Cleanup(func() { stop() })
	r.start()
	for i := range 20 {
		write(t, filepath.Join(src, fmt.Sprint(i)), strings.Repeat("x", 1000))
		r.flush(20 * time.Second)
	}
	must(t, d.SetModules(testbed.Module{Name: "m", Path: dst, Extra: []string{"auth users = alice", m.Extra[1]}}))
	// The first change may go through a connection that waited, and was let in.
	i := 0
	r.waitFor("E-AUTH", 20*time.Second, func() bool {
		i++
		write(t, filepath.Join(src, "refused"), strings.Repeat("x", i))
		e := r.status().remote(t, "src/r").Error
		return e != nil && e.ID == "E-AUTH"
	})
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"config", "show"}, {"config", "show", "--json"}, {"config", "check"}, {"journal", "inspect", "--json"},
		{"explain", filepath.Join(src, "refused")}, {"sync", "--dry-run"}, {"journal", "stats"}} {
		out, errOut, _ := r.cli(args...)
		lacks(t, fmt.Sprint(args), out+errOut, canary)
	}
	found, rsyncs := stop()
	if len(found) > 0 {
		t.Errorf("the password was seen: %q", found)
	}
	if rsyncs == 0 {
		t.Error("no rsync was seen at work")
	}
	if limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", r.proc.Pid())); err != nil || !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max core file size 0 ") {
		t.Errorf("core files: %v\n%s", err, limits)
	}
	r.stop()
	lacks(t, "the log", r.readLog(), canary)
	// Everything that was stored of the source, too.
	if found := leaks(t, r.stateDir(), canary); len(found) > 0 {
		t.Errorf("stored: %q", found)
	}
}

// TestBadPasswordFiles: each is named with its remedy, at the start and when it
// is used, and works again when it is put right.
func TestBadPasswordFiles(t *testing.T) {
	t.Parallel()
	needRoot(t)
	src, dst := trees(t)
	d := testbed.RunRsyncd(t)
	secrets, err := d.WriteSecrets("secrets", "bob:"+canary+"\n", 0o600)
	must(t, err)
	must(t, d.SetModules(testbed.Module{Name: "m", Path: dst, Extra: []string{"auth users = bob", "secrets file = " + secrets}}))
	dir := openDir(t)
	pass := filepath.Join(dir, "pass")
	must(t, os.WriteFile(pass, []byte(canary+"\n"), 0o600))
	r := newRig(t, oneRemote(src, d.UserTarget("bob", "m"), "defaults: {password_file: "+pass+", retry: {initial: 100ms, max: 300ms}}"))
	must(t, os.Chmod(pass, 0o640))
	r.start()
	contains(t, r.readLog(), "E-PASSFILE", pass, "can be read by others")
	for i, c := range []struct {
		what     string
		do, undo func() error
		text     string
	}{
		{"group", func() error { return os.Chmod(pass, 0o640) }, func() error { return os.Chmod(pass, 0o600) }, "chmod 600"},
		{"all", func() error { return os.Chmod(pass, 0o666) }, func() error { return os.Chmod(pass, 0o600) }, "chmod go-w"},
		{"owner", func() error { return os.Chown(pass, stranger, 0) }, func() error { return os.Chown(pass, 0, 0) }, "belongs to user 65534"},
		{"directory", func() error { return os.Chmod(dir, 0o777) }, func() error { return os.Chmod(dir, 0o755) }, "can be written to by others"},
		{"missing", func() error { return os.Rename(pass, pass+"2") }, func() error { return os.Rename(pass+"2", pass) }, "no such file"},
		{"fifo", func() error {
			must(t, os.Rename(pass, pass+"2"))
			return syscall.Mkfifo(pass, 0o600)
		}, func() error { return os.Rename(pass+"2", pass) }, "not a regular file"},
	} {
		must(t, c.do())
		write(t, filepath.Join(src, fmt.Sprint(i)), "x")
		r.waitFor(c.what+": E-PASSFILE", 20*time.Second, func() bool {
			e := r.status().remote(t, "src/r").Error
			return e != nil && e.ID == "E-PASSFILE" && e.Hint != "" && strings.Contains(e.Message, pass) && strings.Contains(e.Message, c.text)
		})
		must(t, c.undo())
		r.flush(20 * time.Second)
	}
	testbed.WaitEqual(t, src, dst, time.Second)
	lacks(t, "the log", r.readLog(), canary)
}

// TestConfigurationOfStrangers: it names programs to run.
func TestConfigurationOfStrangers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	src, dst := trees(t)
	r := newRig(t, oneRemote(src, dst, ""))
	r.config = filepath.Join(openDir(t), "c.yaml")
	r.setConfig(oneRemote(src, dst, ""))
	bad := map[string]func(){
		"can be written to by others": func() { must(t, os.Chmod(r.config, 0o666)) },
		"belongs to user 65534":       func() { must(t, os.Chown(r.config, stranger, stranger)) },
	}
	good := func() { must(t, os.Chown(r.config, 0, 0)); must(t, os.Chmod(r.config, 0o644)) }
	for text, spoil := range bad {
		spoil()
		r.refuses(77, r.config, text)
		good()
	}
	r.start()
	for text, spoil := range bad {
		spoil()
		_, errOut, code := r.cli("reload")
		if code != 77 {
			t.Errorf("reload: exit %d", code)
		}
		contains(t, errOut, r.config, text)
		good()
	}
	r.mustCLI("reload")
}
