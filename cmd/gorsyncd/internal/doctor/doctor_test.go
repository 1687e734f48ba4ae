package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/replicate"
)

// TestLook: each thing is told with its level, in order, and what is wrong with a
// remedy.
func TestLook(t *testing.T) {
	src, file := t.TempDir(), filepath.Join(t.TempDir(), "none")
	text := fmt.Sprintf(`
state_dir: %s
sources:
  - {path: %s, name: a, remotes: [{name: good, target: "h1::m"}, {name: old, target: "h2::m"}, {name: bad, target: "h3::m"}, {name: dumb, target: "h4::m"}]}
  - {path: %s, name: gone, remotes: ["h5::m"]}
defaults:
  rsync: {path: /none/rsync}
`, t.TempDir(), src, file)
	c, err := config.Parse("x", []byte(text), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ok := replicate.Outcome{Class: replicate.ClassOK}
	answers := map[string]replicate.Reached{
		"good": {Outcome: ok, Version: "3.4.4", Took: time.Millisecond},
		"old":  {Outcome: ok, Version: "3.1.3"},
		"bad":  {Outcome: replicate.Outcome{ID: "E-AUTH", Class: replicate.ClassConfig, Message: "auth failed", Hint: "check the password"}},
		"dumb": {Outcome: ok},
	}
	found := map[string][]replicate.FindingStatus{"a/good": {{ID: "W-OWNERS", Message: "not kept", Remedy: "do"}, {ID: "W-RSYNC-OLD"}}}
	list := Look(t.Context(), c, Options{Root: true, Running: true, Found: found, Expires: func(_ context.Context, r config.Remote) (time.Time, error) {
		ends := map[string]time.Duration{"old": 29 * 24 * time.Hour, "dumb": 31 * 24 * time.Hour, "bad": time.Hour}
		if left, has := ends[r.Name]; has {
			return time.Now().Add(left), nil
		}
		return time.Time{}, nil
	}, Reach: func(_ context.Context, r config.Remote) replicate.Reached {
		if a, known := answers[r.Name]; known {
			return a
		}
		return replicate.Reached{Outcome: replicate.Outcome{ID: "E-DNS", Class: replicate.ClassTransient, Message: "no such host"}}
	}})
	var got strings.Builder
	for _, f := range list {
		if f.About == "watching" || f.About == "state_dir" {
			continue // depends on the machine
		}
		fmt.Fprintf(&got, "%s %s %s", f.Level, f.About, f.ID)
		if f.Level == Fail && f.ID != "E-DNS" && f.Remedy == "" {
			got.WriteString(" without a remedy")
		}
		got.WriteByte('\n')
	}
	want := `ok daemon 
fail rsync E-EXEC
ok source a 
fail source gone E-SOURCE
ok a/good 
warn a/good W-OWNERS
warn a/old W-RSYNC-OLD
warn a/old 
fail a/bad E-AUTH
ok a/dumb 
fail gone/h5 E-DNS
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}
