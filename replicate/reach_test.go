package replicate

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestReach: a remote says what it would take, and nothing is changed on it.
func TestReach(t *testing.T) {
	dst := t.TempDir()
	was := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := os.WriteFile(filepath.Join(dst, "there"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(dst, was, was); err != nil {
		t.Fatal(err)
	}
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst}, testbed.Module{Name: "ro", Path: dst, Extra: []string{"read only = true"}},
		testbed.Module{Name: "auth", Path: dst, Extra: []string{"auth users = x", "secrets file = /dev/null"}})
	for target, want := range map[string]string{
		d.Target("m"):                          "",
		d.Target("ro"):                         "E-READONLY",
		d.Target("none"):                       "E-MODULE",
		d.UserTarget("x", "auth"):              "E-AUTH",
		"rsync://127.0.0.1:1/m":                "E-CONNECT",
		dst:                                    "",
		filepath.Join(dst, "there", "no", "x"): "*",
	} {
		to, err := ParseTarget(target)
		if err != nil {
			t.Fatal(err)
		}
		got := Reach(t.Context(), to, RsyncOptions{Path: "rsync", Timeout: 10 * time.Second, ConnectTimeout: 5 * time.Second})
		if id := got.Outcome.ID; id != want && (want != "*" || id == "") {
			t.Errorf("%s: %+v, want %s", target, got, want)
		}
		if want == "" && (got.Version == "" || got.Version != LocalVersion(t.Context(), "rsync")) {
			t.Errorf("%s: version %q, here %q", target, got.Version, LocalVersion(t.Context(), "rsync"))
		}
	}
	list, err := os.ReadDir(dst)
	if st, serr := os.Stat(dst); err != nil || serr != nil || len(list) != 1 || !st.ModTime().Equal(was) {
		t.Errorf("something was changed: %v %v", list, st)
	}
	got := Reach(t.Context(), Target{Kind: Local, Path: dst}, RsyncOptions{Path: "/none/rsync", Timeout: time.Second})
	if got.Outcome.ID != "E-EXEC" || got.Outcome.Class != ClassConfig {
		t.Errorf("without rsync: %+v", got)
	}
}
