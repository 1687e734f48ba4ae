package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// copyTree makes dst, which stays the same directory, a copy of src.
func copyTree(t *testing.T, src, dst string) {
	t.Helper()
	old, err := os.ReadDir(dst)
	must(t, err)
	for _, e := range old {
		must(t, os.RemoveAll(filepath.Join(dst, e.Name())))
	}
	if out, err := exec.Command("cp", "-a", src+"/.", dst).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v\n%s", src, err, out)
	}
	if diff, err := testbed.DiffTrees(src, dst, testbed.Options{}); err != nil || len(diff) > 0 {
		t.Fatalf("the copy of %s is none: %v %q", src, err, diff)
	}
}

// next is the seq that the source's next change gets.
func (r *rig) next(source string) uint64 {
	r.t.Helper()
	var doc struct {
		Sources []struct {
			Source string `json:"source"`
			Head   uint64 `json:"head_seq"`
		} `json:"sources"`
	}
	must(r.t, json.Unmarshal([]byte(r.mustCLI("journal", "stats", "--json")), &doc))
	for _, s := range doc.Sources {
		if s.Source == source {
			return s.Head + 1
		}
	}
	r.t.Fatalf("no source %s", source)
	return 0
}

// TestReplayAfterARestore sets a remote back to a copy after much has changed, and
// kills the daemon twice in the middle of the replay.
func TestReplayAfterARestore(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	src, dst, pin := mkdir(t, base, "src"), mkdir(t, base, "dst"), mkdir(t, base, "pin")
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	// The paused remote keeps the journal from forgetting what removed directories
	// had in them.
	r := newRig(t, fmt.Sprintf(`
defaults: {retry: {initial: 200ms, max: 1s}, guard: {max_delete: 0}}
sources:
  - path: %s
    name: src
    remotes:
      - {name: r, target: %q}
      - {name: pin, target: %q}
`, src, d.Target("m"), pin))
	churn := testbed.NewChurn(src, seed(t))
	churn.Steps(200)
	r.start()
	r.mustCLI("pause", "src/pin")
	r.flush(30*time.Second, "--remote", "src/r")
	testbed.WaitEqual(t, src, dst, time.Second)
	back, from := mkdir(t, base, "back"), r.next("src")
	copyTree(t, dst, back)

	for range 4 {
		churn.Steps(60)
		r.flush(30*time.Second, "--remote", "src/r")
	}
	testbed.WaitEqual(t, src, dst, time.Second)
	copyTree(t, back, dst)
	at := strconv.FormatUint(from, 10)
	out := r.mustCLI("replay", "src/r", "--from", at, "--dry-run")
	contains(t, out, "would be sent again")
	if diff, err := testbed.DiffTrees(back, dst, testbed.Options{}); err != nil || len(diff) > 0 {
		t.Errorf("the dry run changed the remote: %v %q", err, diff)
	}

	cut := startCommand(t, "--config", r.config, "replay", "src/r", "--from", at)
	time.Sleep(10 * time.Millisecond)
	r.kill9() // perhaps before it is noted: then the command says so
	<-cut.Done()
	r.start()
	r.mustCLI("replay", "src/r", "--from", at)
	r.kill9() // it was noted
	churn.Steps(20)
	r.start()
	r.flush(60*time.Second, "--remote", "src/r")
	testbed.WaitEqual(t, src, dst, 5*time.Second)
	noLeftovers(t, dst)
	r.mustCLI("verify", "src/r", "--checksum")
}

// TestReplayIsHeldAndApproved: what a replay would remove counts for the guard.
func TestReplayIsHeldAndApproved(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "defaults: {guard: {max_delete: 20}}")
	r.start()
	r.flush(20 * time.Second)
	fill(t, src, 30)
	r.flush(20 * time.Second)
	back, from := t.TempDir(), r.next("src")
	copyTree(t, dst, back)
	for _, dir := range []string{"d1", "d2"} {
		must(t, os.RemoveAll(filepath.Join(src, dir)))
	}
	write(t, filepath.Join(src, "new"), "x")
	r.flush(20 * time.Second)
	r.setConfig(oneRemote(src, strings.TrimSpace(dst), "defaults: {guard: {max_delete: 3}}"))
	r.mustCLI("reload")
	r.flush(20 * time.Second)
	copyTree(t, back, dst)
	out, errOut, code := r.cli("replay", "r", "--from", "src:"+strconv.FormatUint(from, 10))
	if code != 4 {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	contains(t, errOut, "src/r is held", "gorsyncd approve src/r")
	r.waitState("src/r", "held", 5*time.Second)
	if _, err := os.Stat(filepath.Join(dst, "d1")); err != nil {
		t.Error("removed without an approval")
	}
	r.kill9()
	r.start()
	r.waitState("src/r", "held", 10*time.Second)
	r.mustCLI("approve", "src/r")
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}

// TestGapsAreTold: what the journal has deleted is missing nowhere in silence.
func TestGapsAreTold(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "journal: {retain: 0s}")
	r.start()
	r.flush(20 * time.Second)
	write(t, filepath.Join(src, "a"), "1")
	r.flush(20 * time.Second)
	r.waitFor("the journal to forget", 30*time.Second, func() bool {
		return r.status().Journal.Entries == 0
	})
	write(t, filepath.Join(src, "b"), "1")
	r.flush(20 * time.Second)
	for _, args := range [][]string{{"events", "--from", "1"}, {"events", "--since", "1h"}, {"events", "--from", "1", "--json"}} {
		out, errOut, code := r.cli(args...)
		if code != 3 {
			t.Errorf("%v: exit %d\n%s%s", args, code, out, errOut)
		}
		if !strings.Contains(out, "no longer in the journal") && !strings.Contains(out, `"event":"gap"`) {
			t.Errorf("%v: %s", args, out)
		}
	}
	for _, args := range [][]string{{"--from", "1"}, {"--since", "1h"}} {
		out, errOut, code := r.cli(append([]string{"replay", "src/r"}, args...)...)
		if code != 3 {
			t.Errorf("replay %v: exit %d\n%s%s", args, code, out, errOut)
		}
		contains(t, errOut, "does not reach back that far", "gorsyncd sync src/r --checksum")
	}
}
