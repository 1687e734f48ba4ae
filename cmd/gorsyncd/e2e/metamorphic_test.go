package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestSettingsDoNotMatter: the same changes to a tree end in the same two
// copies, whatever the numbers of workers, the sizes of batches, the settle
// times and the modes of deletion are, and wherever full syncs, pauses and kill
// -9 fall. GORSYNCD_VARIANTS sets how many lives are compared (2).
func TestSettingsDoNotMatter(t *testing.T) {
	t.Parallel()
	variants := 2
	if v := os.Getenv("GORSYNCD_VARIANTS"); v != "" {
		var err error
		variants, err = strconv.Atoi(v)
		must(t, err)
	}
	n := seed(t)
	var first map[string]testbed.Node
	for i := range variants {
		got := liveThrough(t, n, rand.New(rand.NewPCG(n, uint64(i)+100)))
		if first == nil {
			first = got
		}
		if diff := testbed.Diff(first, got); len(diff) > 0 {
			t.Fatalf("life %d ended in another tree than the first:\n%s", i, strings.Join(diff[:min(20, len(diff))], "\n"))
		}
	}
}

// liveThrough has one daemon replicate the changes of a seed to two remotes,
// under settings and blows that rnd decides, and returns what both remotes
// have, but for times.
func liveThrough(t *testing.T, changes uint64, rnd *rand.Rand) map[string]testbed.Node {
	t.Helper()
	base := t.TempDir()
	src, dst1, dst2 := mkdir(t, base, "src"), mkdir(t, base, "dst1"), mkdir(t, base, "dst2")
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst1})
	remotes := fmt.Sprintf("      - {name: one, target: %q, %s}\n      - {name: two, target: %q, %s}\n",
		d.Target("m"), someSettings(rnd), dst2, someSettings(rnd))
	tree := fmt.Sprintf("settle: %dms, settle_max: %dms", rnd.IntN(30), 30+rnd.IntN(1000))
	r := newRig(t, "defaults: {retry: {initial: 100ms, max: 1s}, guard: {max_delete: 0}, "+tree+"}\n"+
		"sources:\n  - path: "+src+"\n    name: src\n    remotes:\n"+remotes)
	t.Logf("%s\n%s", tree, remotes)

	churn := testbed.NewChurn(src, changes)
	made := rnd.IntN(100) // before the first start
	churn.Steps(made)
	r.start()
	var story []string
	for made < 300 {
		step := min(1+rnd.IntN(25), 300-made)
		churn.Steps(step)
		made += step
		time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
		if rnd.IntN(4) == 0 {
			story = append(story, fmt.Sprintf("%d: %s", made, blow(r, rnd)))
		}
	}
	t.Log(strings.Join(story, ", "))
	r.flush(90 * time.Second)
	testbed.WaitEqual(t, src, dst1, 5*time.Second)
	testbed.WaitEqual(t, src, dst2, 5*time.Second)
	r.waitSync(30 * time.Second)
	r.stop()
	noLeftovers(t, dst1)
	noLeftovers(t, dst2)
	nodes, err := testbed.Snapshot(filepath.Clean(dst1), testbed.Options{})
	must(t, err)
	for p, node := range nodes {
		node.Mtime = 0 // of this life
		nodes[p] = node
	}
	return nodes
}

// someSettings of a remote.
func someSettings(rnd *rand.Rand) string {
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	return fmt.Sprintf("workers: %d, batch: {files: %s, bytes: %s}, delete: %s, full_sync: {on_start: %s}",
		1+rnd.IntN(6), pick("1", "2", "7", "50", "1000"), pick("1K", "100K", "256M"), pick("tracked", "all"), pick("if_needed", "if_needed", "always"))
}

// blow is something that must make no difference, and its name.
func blow(r *rig, rnd *rand.Rand) string {
	remote := "src/" + []string{"one", "two", "*"}[rnd.IntN(3)]
	switch rnd.IntN(6) {
	case 0, 1:
		r.kill9()
		time.Sleep(time.Duration(rnd.IntN(100)) * time.Millisecond)
		r.start()
		return "kill"
	case 2: // and again before it is ready
		r.kill9()
		r.spawn()
		time.Sleep(time.Duration(rnd.IntN(300)) * time.Millisecond)
		r.kill9()
		r.start()
		return "kill twice"
	case 3:
		r.mustCLI("sync", "--checksum", remote)
		return "full sync with checksums of " + remote
	case 4:
		r.mustCLI("pause", remote)
		time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
		r.mustCLI("resume", remote)
		return "pause of " + remote
	default:
		r.mustCLI("sync", remote)
		return "full sync of " + remote
	}
}
