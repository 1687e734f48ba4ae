package e2e

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/bench/testbed"
)

// stranger is a user without any rights, teamGroup a group without members.
const (
	stranger  = 65534
	teamGroup = 54321
)

// helperEnv makes this test binary do something as another user instead.
const helperEnv = "GORSYNCD_E2E_HELPER"

func init() {
	if what := os.Getenv(helperEnv); what != "" {
		helper(what, os.Args[1:])
		os.Exit(0)
	}
}

func helper(what string, args []string) {
	switch what {
	case "swap": // exchanges two names for ever
		for {
			if err := unix.Renameat2(unix.AT_FDCWD, args[0], unix.AT_FDCWD, args[1], unix.RENAME_EXCHANGE); err != nil {
				os.Stderr.WriteString(err.Error() + "\n")
				os.Exit(1)
			}
			if len(args) > 2 { // a pause
				d, _ := time.ParseDuration(args[2])
				time.Sleep(d)
			}
		}
	case "listen": // poses as a daemon
		l, err := net.Listen("unix", args[0])
		if err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		_ = os.Chmod(args[0], 0o666)
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"source":"daemon","daemon":{"version":"FOOLED"},"affected":["FOOLED"]}`)
		}))
	case "stale": // leaves a socket without a listener
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: args[0], Net: "unix"})
		if err == nil {
			l.SetUnlinkOnClose(false)
			err = l.Close()
		}
		if err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root to start processes of other users")
	}
}

// openDir makes a directory that every user can reach.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "grs")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	return dir
}

// tool puts a program to where strangers can run it. We must not write it
// ourselves: while another test starts a process, our open file would be in it.
func tool(t *testing.T, program string) string {
	t.Helper()
	to := filepath.Join(openDir(t), filepath.Base(program))
	run(t, "cp", program, to)
	run(t, "chmod", "755", to)
	return to
}

// script makes a program of a shell script, not written by us either.
func script(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path+".sh", []byte("#!/bin/sh\n"+text), 0o600))
	run(t, "cp", path+".sh", path)
	run(t, "chmod", "700", path)
}

func as(cmd *exec.Cmd, uid, gid uint32) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, NoSetGroups: false}}
	cmd.Dir = "/"
	return cmd
}

// helperCommand is this test binary as a helper of a stranger.
func helperCommand(t *testing.T, what string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := as(exec.Command(tool(t, self), args...), stranger, stranger)
	cmd.Env = append(os.Environ(), helperEnv+"="+what)
	return cmd
}

// startHelper starts one that goes on; it dies with the test.
func startHelper(t *testing.T, what string, args ...string) *testbed.Process {
	t.Helper()
	cmd := helperCommand(t, what, args...)
	var out bytes.Buffer
	cmd.Stderr = &out
	p, err := testbed.StartProcess(cmd)
	must(t, err)
	t.Cleanup(func() {
		select {
		case <-p.Done():
			t.Errorf("helper %s ended: %v\n%s", what, p.Wait(), out.String())
		default:
		}
		p.Kill()
	})
	return p
}

// cliAs runs gorsyncd as another user.
func cliAs(t *testing.T, uid, gid uint32, args ...string) (out string, code int) {
	t.Helper()
	cmd := as(exec.Command(tool(t, binary), args...), uid, gid)
	cmd.Env = append(env(), "HOME=/nonexistent")
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(b), exit.ExitCode()
	}
	must(t, err)
	return string(b), 0
}

// refuses starts the daemon, which must end by itself with the given status.
func (r *rig) refuses(code int, parts ...string) {
	r.t.Helper()
	out, errOut, got := gorsyncd(r.t, "run", "--config", r.config)
	if got != code {
		r.t.Errorf("gorsyncd run: exit %d, want %d\n%s%s", got, code, out, errOut)
	}
	contains(r.t, errOut, parts...)
}

func (r *rig) readLog() string {
	r.t.Helper()
	b, err := os.ReadFile(r.log)
	must(r.t, err)
	return string(b)
}

// withoutUmask starts the daemon with umask 000.
func (r *rig) withoutUmask() {
	r.t.Helper()
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(r.t, err)
	defer log.Close()
	cmd := exec.Command("sh", "-c", `umask 000; exec "$0" "$@"`, binary, "run", "--config", r.config, "--log-level", "debug")
	cmd.Env, cmd.Stdout, cmd.Stderr = env(), log, log
	r.proc, err = testbed.StartProcess(cmd)
	must(r.t, err)
	r.waitFor("the daemon to answer", 30*time.Second, func() bool { _, ok := r.tryStatus(); return ok })
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	fi, err := os.Lstat(path)
	must(t, err)
	return fi.Mode().Perm()
}

func lacks(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(text, p) {
			t.Errorf("%q is in %s:\n%s", p, what, tail(text, 3000))
		}
	}
}
