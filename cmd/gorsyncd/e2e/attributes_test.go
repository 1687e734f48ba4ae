package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// withoutAttributes compares all but what attributes: with_content lets go later:
// modes and owners of files, and of directories their time as well.
var withoutAttributes = testbed.Options{Blur: func(_ string, n *testbed.Node) {
	switch n.Type {
	case "dir":
		n.Mode, n.UID, n.GID, n.Mtime = 0, 0, 0, 0
	case "file":
		n.Mode, n.UID, n.GID = 0, 0, 0
	}
}}

func modeOf(t *testing.T, elem ...string) os.FileMode {
	t.Helper()
	fi, err := os.Lstat(filepath.Join(elem...))
	must(t, err)
	return fi.Mode().Perm()
}

// setLine changes the configuration.
func (r *rig) setLine(from, to string) {
	r.t.Helper()
	data, err := os.ReadFile(r.config)
	must(r.t, err)
	must(r.t, os.WriteFile(r.config, []byte(strings.Replace(string(data), from, to, 1)), 0o600))
}

// TestAttributesWithContent: a chmod alone is not sent and is no difference, goes
// along with the next change and a full sync, and hides neither a write nor what
// was done on the remote.
func TestAttributesWithContent(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	for _, name := range []string{"d/a", "d/b", "d/c", "d/e/f"} {
		write(t, filepath.Join(src, name), name)
	}
	_, r := serve(t, src, dst, "defaults: {attributes: with_content}")
	r.start()
	r.flush(20 * time.Second)
	r.waitSync(10 * time.Second)
	testbed.WaitEqual(t, src, dst, 2*time.Second)
	time.Sleep(200 * time.Millisecond)

	before := r.status().remote(t, "src/r").Transfers
	for _, name := range []string{"d/a", "d/b", "d/e"} {
		must(t, os.Chmod(filepath.Join(src, name), 0o700))
	}
	r.flush(10 * time.Second)
	time.Sleep(300 * time.Millisecond)
	if n := r.status().remote(t, "src/r").Transfers; n != before {
		t.Errorf("%d transfers for modes alone", n-before)
	}
	lines, code := r.verify()
	if expect(t, lines, "~d/a: mode", "~d/b: mode", "~d/e: mode"); code != 0 {
		t.Errorf("verify: exit %d", code)
	}
	out, _, code := r.cli("explain", filepath.Join(src, "d/a"))
	contains(t, out, "its attributes have changed, and go with its next change")
	if code != 0 {
		t.Errorf("explain: exit %d", code)
	}

	contains(t, r.mustCLI("verify"), "d/a  (goes along with its next change)", "3 with other attributes")

	// On the remote alone: a difference. And one that hides a write.
	must(t, os.Chmod(filepath.Join(dst, "d/c"), 0o755))
	fi, err := os.Stat(filepath.Join(src, "d/b"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(src, "d/b"), []byte("D/B"), 0o644))
	must(t, os.Chtimes(filepath.Join(src, "d/b"), fi.ModTime(), fi.ModTime()))
	r.flush(10 * time.Second)
	lines, code = r.verify("--checksum", "--repair")
	if expect(t, lines, "~d/a: mode", "~d/e: mode", "d/c: mode"); code != 5 {
		t.Errorf("verify: exit %d", code)
	}
	r.flush(10 * time.Second)
	if got := modeOf(t, dst, "d/b"); got != 0o700 {
		t.Errorf("the mode did not go along: %v", got)
	}
	testbed.WaitEqual(t, src, dst, 2*time.Second, withoutAttributes)

	r.mustCLI("sync")
	r.flush(10 * time.Second)
	testbed.WaitEqual(t, src, dst, 2*time.Second)

	// Switched off, what was passed over is sent.
	must(t, os.Chmod(filepath.Join(src, "d/a"), 0o640))
	r.flush(10 * time.Second)
	if got := modeOf(t, dst, "d/a"); got != 0o700 {
		t.Errorf("sent although it is to go along later: %v", got)
	}
	r.setLine("attributes: with_content", "attributes: always")
	contains(t, r.mustCLI("reload"), "src: attributes changed; the tree is scanned anew")
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, 2*time.Second)
}

// TestAttributesWithContentKills: whatever is killed in between, all but attributes
// is equal in the end; when they count again, everything is.
func TestAttributesWithContentKills(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	r := newRig(t, oneRemote(src, d.Target("m"), "defaults: {attributes: with_content, retry: {initial: 200ms, max: 2s}, guard: {max_delete: 0}}"))
	churnAndKill(t, r, src, 4)
	r.flush(60 * time.Second)
	testbed.WaitEqual(t, src, dst, 5*time.Second, withoutAttributes)
	r.setLine("attributes: with_content", "attributes: always")
	r.mustCLI("reload")
	r.flush(60 * time.Second)
	testbed.WaitEqual(t, src, dst, 5*time.Second)
}

// churnAndKill changes a tree while the daemon is killed and started again, and
// leaves it running.
func churnAndKill(t *testing.T, r *rig, src string, kills int) {
	t.Helper()
	n := seed(t)
	rnd := rand.New(rand.NewPCG(n, 3))
	churn := testbed.NewChurn(src, n)
	churn.Steps(200)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				churn.Steps(5)
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
	for range kills {
		r.spawn()
		time.Sleep(time.Duration(10+rnd.IntN(1200)) * time.Millisecond)
		r.kill9()
	}
	r.start()
	time.Sleep(time.Second)
	close(stop)
	wg.Wait()
}
