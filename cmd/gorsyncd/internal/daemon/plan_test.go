package daemon

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/strangers"
	"gorsyncd/journal"
)

func parseConfig(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("c.yaml", []byte(text), config.Options{DefaultStateDir: "/s", DefaultSocket: "/k"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// runningUnits stands for a daemon that runs a configuration.
func runningUnits(c *config.Config) (units []*unit) {
	for _, s := range c.Sources {
		u := &unit{cfg: s}
		for _, r := range s.Remotes {
			u.remotes = append(u.remotes, &remote{cfg: r, name: s.FullName(r)})
		}
		units = append(units, u)
	}
	return units
}

// known makes a journal that has the remotes of a configuration, in sync.
func knownJournal(t *testing.T, c *config.Config) *journal.Journal {
	t.Helper()
	j, err := journal.Open(journal.Options{Dir: t.TempDir() + "/j"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	for _, s := range c.Sources {
		src, err := j.Source(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range s.Remotes {
			rem, err := src.Remote(r.Name)
			if err != nil {
				t.Fatal(err)
			}
			up := startUpdate(journal.RemoteState{}, nil, r, false, false)
			up.EndFullSync, up.FullSync = true, nil
			if err := rem.Commit(t.Context(), up); err != nil {
				t.Fatal(err)
			}
		}
	}
	return j
}

func planOf(t *testing.T, j *journal.Journal, running []*unit, from, next *config.Config) *planner {
	t.Helper()
	kept, err := strangers.Of(j, next)
	if err != nil {
		t.Fatal(err)
	}
	p := &planner{kept: kept, known: func(s, r string) (strangers.Stranger, bool, error) { return strangers.Find(j, s, r) }}
	p.next = next
	p.keys, p.fixed = next.Follow(from)
	p.all(running)
	return p
}

func lines(changes []control.Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Name+" "+string(c.Change)+": "+c.Text)
	}
	return strings.Join(out, "\n")
}

const planBase = `sources:
  - path: /www
    remotes: [{name: a, target: 'a::m'}, {name: b, target: 'b::m'}, {name: c, target: 'c::m'}]
  - path: /bbs
    remotes: [{name: a, target: 'a::n'}]
`

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name, next string
		stops      string
		want       []string // parts of the answer, in order
	}{
		{"nothing", planBase, "", []string{"www/a unchanged", "www/b unchanged", "www/c unchanged", "bbs/a unchanged"}},
		{"other order, other lines", `
sources:
  - path: /bbs
    remotes: [{target: 'a::n', name: a}]
  - path: /www
    remotes: [{name: c, target: 'c::m', workers: 4}, {name: b, target: 'b::m'}, {name: a, target: 'a::m'}]
`, "", []string{"bbs/a unchanged", "www/c unchanged", "www/b unchanged", "www/a unchanged"}},
		{"one of each", `
sources:
  - path: /www
    remotes:
      - {name: a, target: 'a::m'}
      - {name: b, target: 'b::other'}
      - {name: d, target: 'd::m'}
  - path: /new
    remotes: [{name: a, target: 'a::x'}, {name: quiet, target: 'a::y', full_sync: {on_start: never}}]
log: {level: debug}
socket: {mode: "0640"}
`, "bbs/a www/c www/b", []string{
			"log.level updated: info → debug", "socket.mode needs_restart: needs a restart, until then 0600 is in use; c.yaml:",
			"www/a unchanged", "www/b restarted: target changed; full sync starts", "www/d added: added; full sync starts",
			"www/c removed: removed; its place in the journal is kept, gorsyncd reload --forget www/c gives it up",
			"new added: added", "new/a added: added; full sync starts", "new/quiet added: added; no full sync, as",
			"bbs removed: removed", "bbs/a removed: removed; its place"}},
		{"another name", strings.Replace(planBase, "name: b,", "name: b2,", 1), "www/b", []string{"www/a unchanged",
			"www/b2 added: added; full sync starts (with its old name, b, it would go on from its cursor)", "www/c unchanged", "www/b removed: removed", "bbs/a unchanged"}},
		{"settings", `
sources:
  - path: /www
    remotes:
      - {name: a, target: 'a::m', workers: 9, bwlimit: 1M}
      - {name: b, target: 'b::m', verify: {schedule: "@every 1h"}}
      - {name: c, target: 'c::m', exclude: ["*.o"]}
  - path: /bbs
    remotes: [{name: a, target: 'a::n', full_sync: {on_start: always}, warm: 2}]
`, "www/a www/c bbs/a", []string{
			"www/a restarted: workers, bwlimit changed; goes on from its cursor", "www/b updated: verify.schedule changed; applied without an interruption",
			"www/c restarted: filter changed; full sync starts", "bbs/a restarted: warm, full_sync.on_start changed; full sync starts (full_sync.on_start: always)"}},
		{"a source", strings.Replace(planBase, "/www", "/www\n    settle: 5ms", 1), "www/a www/b www/c", []string{
			"www restarted: settle changed; the tree is scanned anew", "www/a restarted: its source has changed; goes on from its cursor", "www/b restarted", "www/c restarted", "bbs/a unchanged"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			from := parseConfig(t, planBase)
			running := runningUnits(from)
			p := planOf(t, knownJournal(t, from), running, from, parseConfig(t, c.next))
			if p.err != nil {
				t.Fatal(p.err)
			}
			got := lines(p.changes)
			rest := got
			for _, w := range c.want {
				_, after, ok := strings.Cut(rest, w)
				if !ok {
					t.Fatalf("%q is missing, or out of order, in\n%s", w, got)
				}
				rest = after
			}
			if n := strings.Count(got, "\n") + 1; n != len(c.want) {
				t.Errorf("%d lines, want %d:\n%s", n, len(c.want), got)
			}
			var stops []string
			for _, r := range p.stops() {
				stops = append(stops, r.fullName())
			}
			if got := strings.Join(stops, " "); got != c.stops {
				t.Errorf("stops %q, want %q", got, c.stops)
			}
		})
	}
}

// TestPlanOfWhoComesBack: what the journal has of a remote says how it begins.
func TestPlanOfWhoComesBack(t *testing.T) {
	all := parseConfig(t, planBase)
	j := knownJournal(t, all)
	src, err := j.Source("www")
	if err != nil {
		t.Fatal(err)
	}
	rem, err := src.Remote("b")
	if err != nil {
		t.Fatal(err)
	}
	if err := rem.Commit(t.Context(), journal.Update{FullSync: &journal.FullSync{Reason: "requested", Started: time.Now(), Begun: true}}); err != nil {
		t.Fatal(err)
	}
	from := parseConfig(t, "sources: [{path: /www, remotes: [{name: a, target: 'a::m'}]}]")
	next := parseConfig(t, strings.Replace(planBase, "c::m", "c::elsewhere", 1))
	p := planOf(t, j, runningUnits(from), from, next)
	got := lines(p.changes)
	for _, w := range []string{"www/a unchanged", "www/b added: configured again; its full sync goes on", "www/c added: configured again; full sync starts",
		"bbs added: added", "bbs/a added: configured again; goes on from its cursor"} {
		if !strings.Contains(got, w) {
			t.Errorf("%q is missing in\n%s", w, got)
		}
	}
}

func TestPlanForget(t *testing.T) {
	all := parseConfig(t, planBase)
	j := knownJournal(t, all)
	next := parseConfig(t, "sources: [{path: /www, remotes: [{name: a, target: 'a::m'}, {name: c, target: 'c::m'}]}]")
	for _, c := range []struct {
		patterns []string
		forget   string
		err      string
	}{
		{nil, "", ""},
		{[]string{"www/b"}, "www/b", ""},
		{[]string{"bbs"}, "bbs/a", ""},
		{[]string{"*/*"}, "bbs/a www/b", ""}, // not those that are configured
		{[]string{"www/b", "www/c"}, "", "www/c is configured"},
		{[]string{"www/x"}, "", `nothing is kept for "www/x"`},
	} {
		p := planOf(t, j, runningUnits(all), all, next)
		err := p.forgotten(c.patterns)
		if c.err != "" {
			if !isUsage(err) || !strings.Contains(err.Error(), c.err) || len(p.forget) > 0 {
				t.Errorf("%v: %v", c.patterns, err)
			}
			continue
		}
		if err != nil || strings.Join(p.forget, " ") != c.forget {
			t.Errorf("%v: forgets %v, %v", c.patterns, p.forget, err)
		}
		for _, n := range p.forget {
			has := slices.DeleteFunc(slices.Clone(p.changes), func(ch control.Change) bool { return ch.Name != n })
			if len(has) != 1 || has[0].Change != control.Forgotten {
				t.Errorf("%v: %v", c.patterns, has)
			}
		}
	}
	var e *control.Error
	if err := planOf(t, j, nil, all, all).forgotten([]string{"x"}); !errors.As(err, &e) || !strings.Contains(e.Hint, "nothing is kept for any") {
		t.Errorf("%v, %+v", err, e)
	}
}
