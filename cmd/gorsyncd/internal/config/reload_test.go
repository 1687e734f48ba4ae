package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestHas(t *testing.T) {
	c := parse(t, "sources:\n  - {path: /a, remotes: ['h::m', {name: x, target: 'i::m'}]}\n  - {path: /b, remotes: ['j::m']}\n")
	for name, want := range map[string]bool{"a/h": true, "a/x": true, "b/j": true, "a/j": false, "b/x": false, "c/h": false, "a/": false} {
		source, remote, _ := strings.Cut(name, "/")
		if c.Has(source, remote) != want {
			t.Errorf("Has(%s) = %v", name, !want)
		}
	}
	if !c.HasSource("b") || c.HasSource("h") {
		t.Error("HasSource is wrong")
	}
}

// TestFollow has every key outside of the sources changed, so that a new one that
// is forgotten in runKeys fails.
func TestFollow(t *testing.T) {
	const sources = "sources: [{path: /a, remotes: ['h::m']}]\n"
	running := parse(t, sources)
	all := `state_dir: /s
socket: {path: /k, group: adm, mode: "0640"}
journal: {retain: 1h, max_size: 1G, verify: 5m, ballast: 1M}
log: {level: debug, format: json, file: /l}
http: {listen: "0.0.0.0:1", token_file: /t, tls: {cert_file: /c, key_file: /y}, hosts: [a, b], anonymous_read: false, insecure: true, max_clients: 5}
` + sources
	next := parse(t, all)
	changed, fixed := next.Follow(running)
	names := func(list []KeyChange) string {
		var out []string
		for _, k := range list {
			out = append(out, k.Key)
		}
		return strings.Join(out, " ")
	}
	if got := names(changed); got != "journal.retain journal.max_size journal.verify log.level log.format log.file "+
		"http.listen http.token_file http.tls.cert_file http.tls.key_file http.hosts http.anonymous_read http.insecure http.max_clients" {
		t.Errorf("changed: %s", got)
	}
	if got := names(fixed); got != "state_dir socket.path socket.group socket.mode journal.ballast" {
		t.Errorf("fixed: %s", got)
	}
	if len(changed)+len(fixed) != len(runKeys) {
		t.Errorf("%d keys of %d", len(changed)+len(fixed), len(runKeys))
	}
	if got := fixed[0]; got.String() != "/var/lib/gorsyncd → /s" || got.Pos.Line != 1 {
		t.Errorf("%s at %s", got, got.Pos)
	}
	text, err := next.Show()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"state_dir: /var/lib/gorsyncd # default", "retain: 1h", "level: debug"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
	again := parse(t, text)
	if changed, fixed = again.Follow(next); len(changed)+len(fixed) > 0 {
		t.Errorf("the same configuration differs: %v %v", changed, fixed)
	}
	// What Show prints outside of the sources is what runKeys has.
	if text, err = parse(t, all).Show(); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(text, "sources:")
	if leaves := strings.Count(head, "#"); leaves != len(runKeys) {
		t.Errorf("%d keys in\n%s\n%d in runKeys", leaves, head, len(runKeys))
	}
}

func TestChanged(t *testing.T) {
	one := func(source, remote string) Source {
		return parse(t, fmt.Sprintf("sources:\n  - {path: /a%s, remotes: [{name: r, target: 'h::m'%s}]}\n", source, remote)).Sources[0]
	}
	base := one("", "")
	for _, c := range []struct {
		source, remote     string
		ofSource, ofRemote string
		upkeep             bool
	}{
		{"", "", "", "", true},
		{", workers: 4", "", "", "", true},
		{", workers: 7", ", bwlimit: 1M", "", "workers bwlimit", false},
		{", settle: 3ms", "", "settle", "", true},
		{", guard: {empty_source: false, max_delete: 5}", "", "guard.empty_source", "guard.max_delete", false},
		{", exclude: ['*.o']", "", "filter", "filter", false},
		{"", ", exclude: ['*.o']", "", "filter", false},
		{"", ", full_sync: {schedule: '@every 1h'}, verify: {repair: true}", "", "full_sync.schedule verify.repair", true},
		{"", ", rsync: {args: [-X]}", "", "rsync.args", false},
	} {
		got := one(c.source, c.remote)
		if keys := strings.Join(got.Changed(base), " "); keys != c.ofSource {
			t.Errorf("%s%s: source %q, want %q", c.source, c.remote, keys, c.ofSource)
		}
		keys := got.Remotes[0].Changed(base.Remotes[0])
		if strings.Join(keys, " ") != c.ofRemote {
			t.Errorf("%s%s: remote %q, want %q", c.source, c.remote, keys, c.ofRemote)
		}
		if upkeep := !slices.ContainsFunc(keys, func(k string) bool { return !ForUpkeep(k) }); upkeep != c.upkeep {
			t.Errorf("%s%s: for upkeep alone: %v", c.source, c.remote, upkeep)
		}
	}
	moved := parse(t, "sources: [{path: /b, name: a, remotes: [{name: r, target: 'h::n'}]}]\n").Sources[0]
	if !slices.Equal(moved.Changed(base), []string{"path"}) || !slices.Equal(moved.Remotes[0].Changed(base.Remotes[0]), []string{"target"}) {
		t.Errorf("%v %v", moved.Changed(base), moved.Remotes[0].Changed(base.Remotes[0]))
	}
}
