package daemon

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
)

// next is a process: it starts, and ends as told.
func next(t *testing.T, journal, end string) (exhausted bool) {
	t.Helper()
	g := newStartGuard(journal, quiet)
	if g.exhausted() {
		g.end()
		return true
	}
	g.begin()
	switch end {
	case "dies opening":
		report(t, g, "fatal error: fault\n\ngoroutine 7 [running]:\ngithub.com/dgraph-io/badger/v4.Open\n")
	case "gone opening":
	case "refused":
		g.refused()
	case "killed":
		g.opened()
	case "dies open":
		g.opened()
		report(t, g, "panic: runtime error\n\ngoroutine 7 [running]:\ngithub.com/dgraph-io/badger/v4.(*DB).flushMemtable\n")
	case "dies of something else":
		g.opened()
		report(t, g, "panic: runtime error\n\ngoroutine 7 [running]:\nmain.main()\n")
	case "aborted opening":
		report(t, g, aborted)
	case "aborted":
		g.opened()
		report(t, g, aborted)
	case "asserts":
		g.opened()
		if _, err := (assertions{g.out}).Write([]byte("Assert failed\n")); err != nil {
			t.Fatal(err)
		}
	case "healthy":
		g.opened()
		g.forget()
	case "ends":
		g.opened()
		g.end()
	default:
		t.Fatal(end)
	}
	if g.timer != nil {
		g.timer.Stop()
	}
	gone(t, g)
	return false
}

// aborted is what the runtime writes upon the SIGABRT of a watchdog.
const aborted = "SIGABRT: abort\nPC=0x495621 m=0 sigcode=0\n\ngoroutine 7 [select]:\ngithub.com/dgraph-io/badger/v4.(*DB).doWrites\n"

// gone does what the kernel does at the end of a process: the report stays as
// it is, its lock goes.
func gone(t *testing.T, g *startGuard) {
	t.Helper()
	if err := debug.SetCrashOutput(nil, debug.CrashOptions{}); err != nil {
		t.Fatal(err)
	}
	g.out.Close() // "ends" has closed it
}

func report(t *testing.T, g *startGuard, text string) {
	t.Helper()
	if _, err := g.out.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestFailedStartsSetTheJournalAside(t *testing.T) {
	for _, c := range []struct {
		name  string
		ends  []string
		aside bool
	}{
		{"dies while opening", []string{"dies opening", "dies opening", "dies opening"}, true},
		{"dies soon after", []string{"dies open", "dies open", "dies open"}, true},
		{"fails an assertion", []string{"asserts", "dies open", "dies opening"}, true},
		{"gone while opening, often", slices.Repeat([]string{"gone opening"}, 11), false},
		{"gone while opening, too often", slices.Repeat([]string{"gone opening"}, 12), true},
		{"gone and dead", []string{"dies open", "gone opening", "dies opening"}, false},
		{"twice only", []string{"dies opening", "dies opening"}, false},
		{"killed in between", []string{"dies open", "dies open", "killed", "dies open"}, false},
		{"killed all the time", []string{"killed", "killed", "killed", "killed", "killed"}, false},
		{"dies of something else", []string{"dies of something else", "dies of something else", "dies of something else"}, false},
		{"killed by a watchdog", slices.Repeat([]string{"aborted"}, 20), false},
		{"asked where it is while opening", slices.Repeat([]string{"aborted opening"}, 20), false},
		{"a watchdog does not hide", []string{"dies opening", "dies opening", "aborted opening", "dies opening"}, true},
		{"locked or no permission", []string{"refused", "refused", "refused", "refused"}, false},
		{"refused in between", []string{"dies opening", "dies opening", "refused", "refused"}, false},
		{"refused does not hide", []string{"dies opening", "dies opening", "refused", "dies opening"}, true},
		{"healthy in between", []string{"dies open", "dies open", "healthy", "dies opening", "dies opening"}, false},
		{"ended in between", []string{"dies open", "dies open", "ends", "dies open", "dies open"}, false},
	} {
		journal := filepath.Join(t.TempDir(), "journal")
		for i, end := range c.ends {
			if next(t, journal, end) {
				t.Errorf("%s: set aside at start %d", c.name, i+1)
			}
		}
		if got := next(t, journal, "ends"); got != c.aside {
			t.Errorf("%s: set aside %v, want %v", c.name, got, c.aside)
		}
		if next(t, journal, "ends") {
			t.Errorf("%s: set aside again", c.name)
		}
	}
}

// A second daemon that finds the journal locked must not touch the reports of
// the one that runs.
func TestSecondDaemonLeavesTheCountAlone(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")
	g := newStartGuard(journal, quiet)
	g.begin()
	g.opened()
	defer g.timer.Stop()
	report(t, g, "panic in badger\n")
	before, err := os.ReadFile(g.file)
	if err != nil {
		t.Fatal(err)
	}
	second := newStartGuard(journal, quiet)
	second.begin()
	second.refused()
	second.end()
	if after, err := os.ReadFile(g.file); err != nil || string(after) != string(before) {
		t.Errorf("count %q %v, want %q", after, err, before)
	}
	if b, err := os.ReadFile(g.report); err != nil || string(b) != "panic in badger\n" {
		t.Errorf("report %q %v", b, err)
	}
	gone(t, g)
}
