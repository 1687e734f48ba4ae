package daemon

import (
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/notify"
)

const notifySources = "sources: [{path: /a, remotes: ['h::m']}]\nnotify:\n"

func TestReloadOfNotifiers(t *testing.T) {
	old := parseConfig(t, notifySources+"  - {name: same, command: [x]}\n  - {name: other, command: [x]}\n  - {name: gone, command: [x]}\n")
	var running []*bell
	for _, n := range old.Notify {
		running = append(running, &bell{cfg: n})
	}
	next := parseConfig(t, notifySources+"  - {name: new, command: [x]}\n  - {name: other, after: 1h, command: [x]}\n  - {command: [x], name: same}\n")
	p := planner{plan: plan{next: next}}
	p.notifiers(running)
	var got []string
	for _, c := range p.changes {
		got = append(got, c.Name+" "+string(c.Change))
	}
	if want := []string{"notify new added", "notify other restarted", "notify same unchanged", "notify gone removed"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestBellsFollowTheConfiguration: those that have not changed go on, and what those
// that are gone have announced is forgotten.
func TestBellsFollowTheConfiguration(t *testing.T) {
	c := parseConfig(t, notifySources+"  - {name: same, command: ['true']}\n  - {name: other, command: ['true']}\n  - {name: gone, command: ['true']}\n  - {name: beat, heartbeat: 1h, command: ['true']}\n")
	c.StateDir = t.TempDir()
	d := &Daemon{cfg: c, log: slog.New(slog.DiscardHandler), hard: t.Context()}
	d.setBells(c.Notify)
	before := d.allBells()
	if len(before) != 4 {
		t.Fatalf("%d bells", len(before))
	}
	next := parseConfig(t, notifySources+"  - {name: other, after: 1h, command: ['true']}\n  - {name: same, command: ['true']}\n")
	d.setBells(next.Notify)
	after := d.allBells()
	if len(after) != 2 || after[1] != before[0] || after[0] == before[1] || after[0].cfg.After != next.Notify[0].After {
		t.Errorf("%+v", after)
	}
	d.stopBells()
	var files []string
	entries, err := os.ReadDir(d.notifyDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		files = append(files, e.Name())
	}
	if !slices.Equal(files, []string{"other.json", "same.json"}) {
		t.Errorf("state of %q", files)
	}
}

func TestRulesOf(t *testing.T) {
	c := parseConfig(t, notifySources+"  - {on: [held, recovered], command: [x]}\n  - {on: failing, name: b, command: [x]}\n")
	if r := rulesOf(c.Notify[0]); !r.Recovered || !slices.Equal(r.On, []notify.Kind{notify.Held}) {
		t.Errorf("%+v", r)
	}
	if r := rulesOf(c.Notify[1]); r.Recovered || !slices.Equal(r.On, []notify.Kind{notify.Failing}) {
		t.Errorf("%+v", r)
	}
}

// TestCrashed: only a process that did not end in order leaves its report.
func TestCrashed(t *testing.T) {
	file := t.TempDir() + "/journal"
	log := slog.New(slog.DiscardHandler)
	first := newStartGuard(file, log)
	if first.crashed() != "" {
		t.Errorf("the first start follows %q", first.crashed())
	}
	first.close()
	second := newStartGuard(file, log)
	if second.crashed() != "" {
		t.Errorf("after an end in order: %q", second.crashed())
	}
	if _, err := second.out.WriteString("panic: index out of range\n\ngoroutine 1"); err != nil {
		t.Fatal(err)
	}
	if err := debug.SetCrashOutput(nil, debug.CrashOptions{}); err != nil { // which holds the lock as well
		t.Fatal(err)
	}
	second.out.Close() // as a process that is gone
	third := newStartGuard(file, log)
	defer third.close()
	if got := third.crashed(); got != "the process before this one crashed: panic: index out of range" {
		t.Errorf("after a crash: %q", got)
	}
}
