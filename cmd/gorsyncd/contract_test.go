package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
)

// call is how a command behaves where there is no daemon, and where the caller may
// neither reach it nor read its files. The zero value is right for a command that
// asks the daemon and needs no arguments.
type call struct {
	args            string // a valid command line, without the command
	down, forbidden int    // exit status: 69 and 77 for zero, 0 for done
	daemon          bool   // it is one: it is not run here
}

// done stands for exit status 0 in a call.
const done = -1

var calls = map[string]call{
	"run":                   {daemon: true, forbidden: 77},
	"status":                {down: control.ExitNotInSync}, // from the journal
	"check":                 {down: 2, forbidden: 3},       // CRITICAL, UNKNOWN
	"doctor":                {down: control.ExitProblem},   // there is no such target
	"explain":               {args: "/a"},
	"pause":                 {args: "www/nas"},
	"resume":                {args: "www/nas"},
	"approve":               {args: "www/nas"},
	"journal inspect":       {down: done},
	"journal tail":          {down: done},
	"journal compact":       {down: 1}, // there is none
	"events":                {down: done},
	"report":                {down: done},
	"replay":                {args: "www/nas --from 1"},
	"journal stats":         {down: done},
	"journal check":         {down: done},
	"config check":          {down: done},
	"config show":           {down: done},
	"config schema":         {down: done, forbidden: done},
	"config import-sersync": {args: "DIR/confxml.xml", down: done},
	"config import-lsyncd":  {args: "DIR/lsyncd.lua", down: done},
	"init":                  {args: "/a h::m --config DIR/new.yaml", down: done},
	"notify test":           {down: 64}, // there are none
	"docs":                  {args: "errors", down: done, forbidden: done},
	"completion":            {args: "bash", down: done, forbidden: done},
	"version":               {down: done, forbidden: done},
}

func exitOf(want, usual int) int {
	switch want {
	case 0:
		return usual
	case done:
		return 0
	}
	return want
}

// place makes the files that calls mean, which only their owner can read, below a
// directory that everybody can enter.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "grs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "state/journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"g.yaml":      "sources: [{path: " + dir + "/www, name: www, remotes: [/nonexistent/nas, {name: web1, target: /nonexistent/web1}]}]\n",
		"confxml.xml": `<head><sersync><localpath watch="/data/www"><remote ip="h" name="m"/></localpath></sersync></head>`,
		"lsyncd.lua":  `sync{default.rsync, source="/data/www", target="h::m"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// command is the command line of a call below dir.
func command(l leaf, dir string, more ...string) []string {
	args := append(slices.Clone(l.path), strings.Fields(strings.ReplaceAll(calls[strings.Join(l.path, " ")].args, "DIR", dir))...)
	return append(args, more...)
}

func allLeaves() []leaf { return leaves(newApp(io.Discard, io.Discard).cli.Commands, nil) }

func TestCallsAreOfCommands(t *testing.T) {
	for name := range calls {
		if !slices.ContainsFunc(allLeaves(), func(l leaf) bool { return strings.Join(l.path, " ") == name }) {
			t.Errorf("there is no command %q", name)
		}
	}
}

// TestDaemonDown: whoever needs the daemon says that it does not run, 69; the
// others answer without it. With --json behind the arguments an error is a document.
func TestDaemonDown(t *testing.T) {
	dir := place(t)
	t.Setenv("GORSYNCD_CONFIG", dir+"/g.yaml")
	t.Setenv("GORSYNCD_STATE_DIR", dir+"/none")
	t.Setenv("GORSYNCD_SOCKET", dir+"/s")
	for _, l := range allLeaves() {
		c := calls[strings.Join(l.path, " ")]
		if c.daemon {
			continue
		}
		for _, flags := range [][]string{nil, {"--json"}} {
			if err := os.RemoveAll(dir + "/new.yaml"); err != nil {
				t.Fatal(err)
			}
			var out, errOut bytes.Buffer
			args := command(l, dir, flags...)
			want := exitOf(c.down, control.ExitUnreachable)
			if code := newApp(&out, &errOut).run(args); code != want {
				t.Errorf("%q: exit %d, want %d\n%s%s", args, code, want, out.String(), errOut.String())
			}
			if want != control.ExitUnreachable {
				continue
			}
			if flags == nil && !strings.Contains(errOut.String(), "the daemon is not running") {
				t.Errorf("%q does not say what is wrong: %s", args, errOut.String())
			}
			if flags != nil && errorCode(t, errOut.Bytes()) != control.CodeUnreachable || out.Len() > 0 {
				t.Errorf("%q: %s%s", args, out.String(), errOut.String())
			}
		}
	}
}

func errorCode(t *testing.T, stderr []byte) control.Code {
	t.Helper()
	var d control.ErrorDocument
	if err := json.Unmarshal(stderr, &d); err != nil || d.Error == nil {
		t.Errorf("no error document: %v\n%s", err, stderr)
		return ""
	}
	return d.Error.Code
}

// TestNoPermission: another user, who can enter the directories but not connect, nor
// read the configuration or the journal, gets 77 from every command that needs them.
func TestNoPermission(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root to start processes of another user")
	}
	const stranger = 65534
	dir := place(t)
	sock := serveInProcess(t)
	if err := os.Chmod(filepath.Dir(sock), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := dir + "/gorsyncd" // copied by another process: ours may be forking with it open
	if out, err := exec.Command("install", "-m", "755", self, program).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, l := range allLeaves() {
		c := calls[strings.Join(l.path, " ")]
		args := command(l, dir)
		cmd := exec.Command(program, args...)
		cmd.Dir = "/"
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GORSYNCD_CONFIG=" + dir + "/g.yaml", "GORSYNCD_STATE_DIR=" + dir + "/state", "GORSYNCD_SOCKET=" + sock,
			"GORACE=" + os.Getenv("GORACE")}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}, Pdeathsig: syscall.SIGKILL}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		want := exitOf(c.forbidden, control.ExitPermission)
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%q as a stranger: exit %d, want %d\n%s", args, code, want, out)
		}
		if want == control.ExitPermission && !strings.Contains(string(out), "permission denied") {
			t.Errorf("%q does not say what is wrong: %s", args, out)
		}
	}
}

// TestMisspeltCommands: each command with a letter too few, in the middle of a
// command line.
func TestMisspeltCommands(t *testing.T) {
	known := map[string]bool{}
	for _, l := range allLeaves() {
		known[strings.Join(l.path, " ")] = true
	}
	for _, l := range allLeaves() {
		last := l.path[len(l.path)-1]
		wrong := append(slices.Clone(l.path[:len(l.path)-1]), last[:1]+last[2:])
		if known[strings.Join(wrong, " ")] {
			continue
		}
		for _, args := range [][]string{wrong, append(slices.Clone(wrong), "x", "--json"), append([]string{"help"}, wrong...)} {
			var out, errOut bytes.Buffer
			if code := newApp(&out, &errOut).run(args); code != control.ExitUsage {
				t.Errorf("%q: exit %d, want 64\n%s", args, code, out.String())
			}
			if said := errOut.String(); !strings.Contains(said, "unknown command") || !strings.Contains(strings.ReplaceAll(said, `\`, ""), `did you mean "`+last+`"`) {
				t.Errorf("%q gets no suggestion: %s", args, said)
			}
		}
	}
}

// TestMisspeltNames: every command that takes the name of a remote or of a source,
// as an argument or a flag.
func TestMisspeltNames(t *testing.T) {
	sock := serveInProcess(t)
	t.Setenv("GORSYNCD_CONFIG", filepath.Join(t.TempDir(), "none.yaml"))
	tried := 0
	try := func(right string, want int, args ...string) {
		t.Helper()
		tried++
		var out, errOut bytes.Buffer
		code := newApp(&out, &errOut).run(append(args, "--socket", sock))
		if said := out.String() + errOut.String(); code != want || !strings.Contains(said, `did you mean "`+right+`"`) {
			t.Errorf("%q: exit %d, want %d and %q suggested\n%s", args, code, want, right, said)
		}
	}
	for _, l := range allLeaves() {
		want := control.ExitUsage
		if l.path[0] == "check" {
			want = 3 // UNKNOWN
		}
		if strings.Contains(l.cmd.ArgsUsage, "NAME") && !strings.Contains(l.cmd.ArgsUsage, "--") && l.path[0] != "docs" {
			var more []string
			if l.path[0] == "replay" {
				more = []string{"--from", "1"}
			}
			try("www/nas", want, append(append(slices.Clone(l.path), "www/nsa"), more...)...)
			try("nas", want, append(append(slices.Clone(l.path), "nsa"), more...)...)
		}
		for _, f := range l.cmd.Flags {
			switch f.Names()[0] {
			case "remote":
				try("www/web1", want, append(slices.Clone(l.path), "--remote", "www/wbe1")...)
			case "source":
				try("www", want, append(slices.Clone(l.path), "--source", "wwe")...)
			}
		}
	}
	if tried < 10 {
		t.Errorf("only %d commands take names", tried)
	}
}

// TestFlagsBehindArguments: every flag of every command means the same behind the
// arguments as in front of them.
func TestFlagsBehindArguments(t *testing.T) {
	app := newApp(io.Discard, io.Discard).cli
	for _, l := range leaves(app.Commands, nil) {
		args := []string{"ARG", "x/y"}
		for _, f := range slices.Concat(l.cmd.Flags, app.Flags) {
			for _, name := range f.Names() {
				if find(l.cmd.Flags, name) != nil && find(l.cmd.Flags, name).Names()[0] != f.Names()[0] {
					continue // the command has its own meaning of it
				}
				flag := []string{map[bool]string{true: "-", false: "--"}[len(name) == 1] + name}
				if takesValue(f) {
					flag = append(flag, "5")
					if _, ok := f.(*cli.DurationFlag); ok {
						flag[1] = "5s"
					}
				}
				front := reorder(app, slices.Concat(l.path, flag, args))
				behind := reorder(app, slices.Concat(l.path, args, flag))
				if !slices.Equal(front, behind) {
					t.Errorf("%v %v: %q in front, %q behind", l.path, flag, front, behind)
				}
				if got := parsed(t, front); got != strings.Join(args, " ") {
					t.Errorf("%v %v leaves the arguments %q", l.path, flag, got)
				}
			}
		}
	}
}

// parsed are the arguments that a command is left with.
func parsed(t *testing.T, args []string) (left string) {
	t.Helper()
	a := newApp(io.Discard, io.Discard)
	each(a.cli.Commands, func(c *cli.Command) {
		if len(c.Subcommands) == 0 {
			c.Action = func(c *cli.Context) error {
				left = strings.Join(c.Args().Slice(), " ")
				return nil
			}
		}
	})
	if err := a.cli.Run(append([]string{"gorsyncd"}, args...)); err != nil {
		t.Errorf("%q: %v", args, err)
	}
	return left
}
