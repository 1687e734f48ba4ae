package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/urfave/cli/v2"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gorsyncd": main,
		"api":      serveFake,
	})
}

// TestScripts runs the command line as users do; each scenario is a file. No
// daemon runs, but `api` stands in for one.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("GORSYNCD_UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			// Nothing of the machine may show through, and nothing of it be touched.
			for _, v := range []string{"CONFIG", "SOCKET", "STATE_DIR", "LOG_LEVEL", "LOG_FORMAT"} {
				e.Setenv("GORSYNCD_"+v, "")
			}
			e.Setenv("GORSYNCD_CONFIG", e.WorkDir+"/g.yaml")
			e.Setenv("GORSYNCD_STATE_DIR", e.WorkDir+"/state")
			e.Setenv("GORSYNCD_SOCKET", e.WorkDir+"/s")
			e.Setenv("TZ", "UTC")
			e.Setenv("SOCK", e.WorkDir+"/s")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exit": exitStatus},
	})
}

// exitStatus is `exit N COMMAND ARGS…`: the command must end with status N.
func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit STATUS COMMAND [ARGS...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		coder, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%v: %v", args[1:], err)
		}
		got = coder.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s: exit status %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// TestEveryCommandHasAnExample: and says how it is used.
func TestEveryCommandHasAnExample(t *testing.T) {
	var out bytes.Buffer
	var visit func(prefix []string, cmds []*cli.Command)
	visit = func(prefix []string, cmds []*cli.Command) {
		for _, c := range cmds {
			path := append(prefix[:len(prefix):len(prefix)], c.Name)
			out.Reset()
			if code := newApp(&out, &out).run(append(path, "--help")); code != 0 {
				t.Errorf("%v --help: exit status %d", path, code)
			}
			for _, want := range []string{"EXAMPLE", "gorsyncd " + strings.Join(path, " "), c.Usage} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%v --help lacks %q:\n%s", path, want, out.String())
				}
			}
			for _, f := range c.Flags {
				if !strings.Contains(out.String(), "--"+f.Names()[0]) {
					t.Errorf("%v --help lacks --%s", path, f.Names()[0])
				}
			}
			visit(path, c.Subcommands)
		}
	}
	visit(nil, newApp(&out, &out).cli.Commands)
}

// TestNoFlagHidesAGlobalOne: but for -c of check, which is what every plugin of
// Nagios calls its critical limit.
func TestNoFlagHidesAGlobalOne(t *testing.T) {
	a := newApp(&bytes.Buffer{}, &bytes.Buffer{})
	each(a.cli.Commands, func(c *cli.Command) {
		for _, f := range c.Flags {
			for _, n := range f.Names() {
				if find(a.cli.Flags, n) != nil && !(c.Name == "check" && n == "c") {
					t.Errorf("%s: -%s is also a global flag", c.Name, n)
				}
			}
		}
	})
}
