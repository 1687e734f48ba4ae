package e2e

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/shape"
)

var (
	schemasLock sync.Mutex
	schemas     = map[string]*shape.Checker{}
)

// asItsSchema checks what a command has printed with --json against the schema that
// the program has for it.
func asItsSchema(t *testing.T, name, printed string) {
	t.Helper()
	schemasLock.Lock()
	defer schemasLock.Unlock()
	s := schemas[name]
	if s == nil {
		text, errOut, code := gorsyncd(t, "docs", "schema/"+name)
		if code != 0 {
			t.Fatalf("no schema of %s: %s", name, errOut)
		}
		var err error
		s, err = shape.NewStrict([]byte(text))
		must(t, err)
		schemas[name] = s
	}
	if err := s.Lines(printed); err != nil {
		t.Errorf("%s is not as its schema says: %v", name, err)
	}
}

// TestJSONOfADaemon: what a real daemon tells of remotes that are in sync, paused,
// away and held, and of a path that fails. The status of every other test is checked
// the same way.
func TestJSONOfADaemon(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	src, good, held := mkdir(t, base, "src"), mkdir(t, base, "good"), mkdir(t, base, "held")
	fill(t, src, 30)
	write(t, filepath.Join(src, "bad\xff"), "x")
	r := newRig(t, "sources:\n  - path: "+src+"\n    remotes:\n      - "+good+"\n      - {name: held, target: "+held+", guard: {max_delete: 2}}\n"+
		"      - {name: away, target: 'localhost::none', retry: {max: 1s}, rsync: {connect_timeout: 1s}}\n      - {name: still, target: "+mkdir(t, base, "still")+"}\n")
	r.start()
	r.mustCLI("pause", "still", "--for", "1h", "--reason", "test")
	r.flush(20*time.Second, "--remote", "good", "--remote", "held")
	must(t, os.RemoveAll(filepath.Join(src, "d3")))
	must(t, os.RemoveAll(filepath.Join(src, "d4")))
	write(t, filepath.Join(good, "d5/5"), "changed")
	r.waitState("src/held", "held", 20*time.Second)
	for _, c := range []struct {
		schema string
		args   []string
	}{
		{"status", []string{"status"}},
		{"check", []string{"check"}},
		{"doctor", []string{"doctor"}},
		{"explain", []string{"explain", filepath.Join(src, "bad\xff")}},
		{"explain", []string{"explain", filepath.Join(src, "d3")}},
		{"flush", []string{"flush", "--remote", "good"}},
		{"flush", []string{"flush", "--timeout", "1s"}},
		{"sync", []string{"sync", "good", "--dry-run"}}, // before the repair leaves nothing to print
		{"verify", []string{"verify", "good", "away", "--checksum", "--repair"}},
		{"sync", []string{"sync", "good"}},
		{"journal-inspect", []string{"journal", "inspect"}},
		{"journal-stats", []string{"journal", "stats"}},
		{"journal-check", []string{"journal", "check"}},
		{"affected", []string{"retry"}},
		{"affected", []string{"approve", "held"}},
		{"reload", []string{"reload"}},
		{"config", []string{"config", "show", "--running"}},
	} {
		out, errOut, _ := r.cli(append(c.args, "--json")...)
		if out == "" {
			t.Errorf("%v --json prints nothing: %s", c.args, errOut)
		}
		asItsSchema(t, c.schema, out)
	}
	_, errOut, code := r.cli("flush", "--timeout", "1s", "--json")
	if code != 3 {
		t.Errorf("flush with a remote that is away: exit %d", code)
	}
	asItsSchema(t, "error", errOut)
	r.stop()
	for schema, args := range map[string][]string{"status": {"status"}, "journal-inspect": {"journal", "inspect"}, "journal-stats": {"journal", "stats"}} {
		out, _, _ := r.cli(append(args, "--json")...)
		asItsSchema(t, schema, out)
	}
}
