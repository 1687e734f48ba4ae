package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// verifyLine is a line of verify --json.
type verifyLine struct {
	Remote string   `json:"remote"`
	Event  string   `json:"event"`
	Path   string   `json:"path"`
	Kinds  []string `json:"kinds"`
	Below  int      `json:"below"`
	Repair string   `json:"repair"`
	Result struct {
		Compared    bool   `json:"compared"`
		Complete    bool   `json:"complete"`
		Directories int    `json:"directories"`
		Paths       int    `json:"paths"`
		Differences int    `json:"differences"`
		Pending     int    `json:"pending"`
		Repaired    int    `json:"repaired"`
		Message     string `json:"message"`
	} `json:"result"`
	Differences int `json:"differences"` // of the summary
}

// verify runs verify --json and returns what it told, by event, and its exit
// status.
func (r *rig) verify(args ...string) (byEvent map[string][]verifyLine, code int) {
	r.t.Helper()
	out, errOut, code := r.cli(append([]string{"verify", "--json"}, args...)...)
	byEvent = map[string][]verifyLine{}
	for line := range strings.Lines(out) {
		var l verifyLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			r.t.Fatalf("verify --json: %v in %q\n%s", err, line, errOut)
		}
		byEvent[l.Event] = append(byEvent[l.Event], l)
	}
	if code != 0 && code != 5 && errOut == "" {
		r.t.Errorf("exit status %d without a reason", code)
	}
	return byEvent, code
}

// told are differences and what is allowed, as "path: kind kind (below)".
func told(byEvent map[string][]verifyLine) []string {
	out := []string{}
	for mark, event := range map[string]string{"": "difference", "~": "allowed"} {
		for _, l := range byEvent[event] {
			s := mark + l.Path + ": " + strings.Join(l.Kinds, " ")
			if l.Below > 0 {
				s += fmt.Sprintf(" (%d)", l.Below)
			}
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// expect fails unless exactly this was told.
func expect(t *testing.T, byEvent map[string][]verifyLine, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := told(byEvent); !slices.Equal(got, want) {
		t.Fatalf("told\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// withTimes has the times of dir and path as they were after fn.
func withTimes(t *testing.T, path string, fn func()) {
	t.Helper()
	times := map[string]time.Time{}
	for _, p := range []string{path, filepath.Dir(path)} {
		if fi, err := os.Lstat(p); err == nil {
			times[p] = fi.ModTime()
		}
	}
	fn()
	for p, at := range times {
		if fi, err := os.Lstat(p); err == nil && fi.Mode()&os.ModeSymlink == 0 {
			must(t, os.Chtimes(p, at, at))
		}
	}
}

// TestVerify: a remote that was tampered with in every way is told exactly, and
// left as it is; a repair heals it.
func TestVerify(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"tracked", "all"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			src, dst := trees(t)
			fill(t, src, 100)
			write(t, filepath.Join(src, "a/content"), "content")
			write(t, filepath.Join(src, "a/size"), "size")
			write(t, filepath.Join(src, "b/hard"), "hard")
			must(t, os.Link(filepath.Join(src, "b/hard"), filepath.Join(src, "c-hard")))
			must(t, os.Symlink("target", filepath.Join(src, "a/link")))
			_, r := serve(t, src, dst, "defaults: {delete: "+mode+"}")
			r.start()
			r.flush(30 * time.Second)
			if lines, code := r.verify("--checksum"); code != 0 || len(told(lines)) > 0 || !lines["result"][0].Result.Complete {
				t.Fatalf("exit %d of an equal remote: %v", code, lines)
			}

			at := func(p string) string { return filepath.Join(dst, p) }
			withTimes(t, at("a/content"), func() { write(t, at("a/content"), "CONTENT") })
			withTimes(t, at("a/size"), func() { write(t, at("a/size"), "longer") })
			withTimes(t, at("a/link"), func() { must(t, os.Remove(at("a/link"))); must(t, os.Symlink("tampered", at("a/link"))) })
			withTimes(t, at("b/hard"), func() { must(t, os.Remove(at("b/hard"))); write(t, at("b/hard"), "hard") })
			withTimes(t, at("d1"), func() { must(t, os.RemoveAll(at("d1"))) })
			withTimes(t, at("d2/2"), func() { must(t, os.Remove(at("d2/2"))) })
			must(t, os.Chmod(at("d3/3"), 0o600))
			must(t, os.Lchown(at("d4/4"), 7, 8))
			withTimes(t, at("d5/x"), func() { write(t, at("d5/extra/x"), "x"); write(t, at("d5/.x.a1B2c3"), "x") })
			var inD1 []string
			for i := range 10 {
				inD1 = append(inD1, fmt.Sprintf("d1/%d: missing", 10*i+1))
			}
			want := slices.Concat(inD1, []string{"a/size: size", "a/link: link_target time", "b/hard: hard_link", "d1: missing", "d2/2: missing", "d3/3: mode", "d4/4: owner"})
			if mode == "all" {
				want = append(want, "d5/extra: extra (1)", "d5/.x.a1B2c3: leftover")
			} else {
				want = append(want, "~d5/extra: stranger (1)", "~d5/.x.a1B2c3: leftover")
			}
			before, err := testbed.Snapshot(dst, testbed.Options{})
			must(t, err)
			lines, code := r.verify()
			if code != 5 {
				t.Errorf("exit %d of a remote that differs", code)
			}
			expect(t, lines, want...)
			lines, code = r.verify("--checksum")
			want = slices.DeleteFunc(want, func(s string) bool { return strings.HasPrefix(s, "a/size") })
			want = append(want, "a/size: content size", "a/content: content")
			expect(t, lines, want...)
			after, err := testbed.Snapshot(dst, testbed.Options{})
			must(t, err)
			if d := testbed.Diff(before, after); len(d) > 0 || code != 5 {
				t.Fatalf("exit %d; a verify changed the remote: %q", code, d)
			}
			res, snap := lines["result"][0].Result, snapshot(t, src)
			if res.Paths != len(snap) || res.Differences != len(lines["difference"]) || res.Pending != 0 || lines["summary"][0].Differences != res.Differences {
				t.Errorf("%d paths; result %+v", len(snap), res)
			}
			doc, out := r.status().remote(t, "src/r"), ""
			if out, _, code = r.cli("status"); code != 4 || doc.State != "failing" || doc.Error == nil || doc.Error.ID != "E-DIVERGED" {
				t.Errorf("status: exit %d, %+v\n%s", code, doc, out)
			}
			contains(t, out, "E-DIVERGED "+strconv.Itoa(res.Differences)+" paths differ from the source: gorsyncd verify src/r --repair", "verified ")

			lines, code = r.verify("--checksum", "--repair")
			if code != 5 || lines["result"][0].Result.Repaired != res.Differences {
				t.Errorf("repair: exit %d, %+v", code, lines["result"])
			}
			r.flush(30 * time.Second)
			if mode == "tracked" {
				must(t, os.RemoveAll(at("d5/extra")))
				must(t, os.Remove(at("d5/.x.a1B2c3")))
				withTimes(t, filepath.Join(src, "d5/5"), func() {
					must(t, os.Chtimes(at("d5"), mtime(t, filepath.Join(src, "d5")), mtime(t, filepath.Join(src, "d5"))))
				})
			}
			testbed.WaitEqual(t, src, dst, time.Second)
			if lines, code := r.verify("--checksum"); code != 0 || len(told(lines)) > 0 {
				t.Errorf("after the repair: exit %d %q", code, told(lines))
			}
			if doc := r.status().remote(t, "src/r"); doc.State != "in_sync" || doc.Error != nil {
				t.Errorf("after the repair: %+v", doc)
			}
		})
	}
}

func mtime(t *testing.T, path string) time.Time {
	t.Helper()
	fi, err := os.Lstat(path)
	must(t, err)
	return fi.ModTime()
}

func snapshot(t *testing.T, dir string) map[string]testbed.Node {
	t.Helper()
	s, err := testbed.Snapshot(dir, testbed.Options{})
	must(t, err)
	return s
}

// TestVerifyDuringChurn: no round tells of anything that is only on its way, and
// each tells of what is wrong, however busy the tree is.
// GORSYNCD_ROUNDS sets the number of rounds (3).
func TestVerifyDuringChurn(t *testing.T) {
	t.Parallel()
	rounds := 3
	if v := os.Getenv("GORSYNCD_ROUNDS"); v != "" {
		var err error
		rounds, err = strconv.Atoi(v)
		must(t, err)
	}
	src, dst := trees(t)
	_, r := serve(t, src, dst, "defaults: {retry: {initial: 200ms, max: 2s}, guard: {max_delete: 0}}")
	churn := testbed.NewChurn(mkdir(t, src, "busy"), seed(t))
	churn.Most = 1000
	churn.Steps(300)
	write(t, filepath.Join(src, "quiet/f"), "quiet")
	r.start()
	r.flush(60 * time.Second)

	stop := make(chan struct{})
	var wg sync.WaitGroup
	end := sync.OnceFunc(func() { close(stop); wg.Wait() })
	defer end()
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				churn.Steps(5)
				time.Sleep(50 * time.Millisecond)
			}
		}
	})
	pending, paths, busy := 0, 0, 0
	var missed []string
	for i := range rounds {
		var args []string
		if i%2 == 1 {
			args = []string{"--checksum"}
		}
		var want []string
		if i%3 == 2 {
			withTimes(t, filepath.Join(dst, "quiet/f"), func() { write(t, filepath.Join(dst, "quiet/f"), "tampered with") })
			want = []string{"quiet/f: size"}
			if len(args) > 0 {
				want = []string{"quiet/f: content size"}
			}
			args = append(args, "--repair")
		}
		lines, code := r.verify(args...)
		if code == 3 && strings.Contains(lines["result"][0].Result.Message, "too busy") {
			busy++ // the machine is: said, not guessed
			missed, want = append(missed, want...), nil
		} else if (code == 5) != (len(want) > 0) {
			t.Errorf("round %d: exit %d %+v", i, code, lines["result"])
		}
		got := slices.DeleteFunc(told(lines), func(s string) bool { return strings.HasPrefix(s, "~") })
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: told %q, want %q", i, got, want)
		}
		if a := lines["allowed"]; len(a) > 0 {
			end()
			r.flush(60 * time.Second)
			diff, err := testbed.DiffTrees(src, dst, testbed.Options{})
			t.Fatalf("round %d: nobody but us writes there: %q; at rest: %v %q", i, told(lines), err, diff)
		}
		if len(lines["result"]) == 1 {
			pending, paths = pending+lines["result"][0].Result.Pending, paths+lines["result"][0].Result.Paths
		}
		if len(want) > 0 {
			r.flush(60*time.Second, filepath.Join(src, "quiet"))
		}
	}
	t.Logf("%d paths compared in %d rounds, %d of them not judged", paths, rounds, pending)
	if busy > rounds/2 || paths < 50*(rounds-busy) || pending > paths/5 {
		t.Errorf("a verify that judges next to nothing: %d of %d paths were not judged", pending, paths)
	}
	end()
	r.flush(60 * time.Second)
	if len(missed) > 0 {
		if lines, code := r.verify("--checksum", "--repair"); code != 5 || len(told(lines)) != 1 {
			t.Errorf("at rest: exit %d, told %q, want %q", code, told(lines), missed)
		}
		r.flush(60 * time.Second)
	}
	testbed.WaitEqual(t, src, dst, time.Second)
	if lines, code := r.verify("--checksum"); code != 0 || len(told(lines)) > 0 || lines["result"][0].Result.Pending > 0 {
		t.Errorf("at rest: exit %d %q %+v", code, told(lines), lines["result"])
	}
}

// TestRepairSurvivesKillNine: a repair that was answered is done, whatever comes
// between.
func TestRepairSurvivesKillNine(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	for i := range 20 {
		write(t, filepath.Join(src, "d"+strconv.Itoa(i%4), strconv.Itoa(i)), strings.Repeat(strconv.Itoa(i), 50_000))
	}
	_, r := serve(t, src, dst, "defaults: {delete: all, workers: 1}")
	r.start()
	r.flush(60 * time.Second)
	for i := range 20 {
		path := filepath.Join(dst, "d"+strconv.Itoa(i%4), strconv.Itoa(i))
		withTimes(t, path, func() { write(t, path, strings.Repeat("x", 50_000*len(strconv.Itoa(i)))) })
	}
	must(t, os.Remove(filepath.Join(dst, "d1/1")))
	write(t, filepath.Join(dst, "d2/extra/x"), "x")
	// So slow from now on that the repair takes longer than we look on.
	r.stop()
	r.setConfig(oneRemote(src, targetOf(t, r), "defaults: {delete: all, workers: 1, bwlimit: 100K}"))
	r.start()
	lines, code := r.verify("--checksum", "--repair")
	if code != 5 || lines["result"][0].Result.Repaired != 23 { // d1 and d2 have other times
		t.Fatalf("exit %d: %q", code, told(lines))
	}
	r.kill9()
	if diff, err := testbed.DiffTrees(src, dst, testbed.Options{}); err == nil && len(diff) == 0 {
		t.Fatal("the repair was over before the crash: it shows nothing")
	}
	r.setConfig(oneRemote(src, targetOf(t, r), "defaults: {delete: all}"))
	r.start()
	r.flush(60 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}

// targetOf is the target in a rig's configuration.
func targetOf(t *testing.T, r *rig) string {
	t.Helper()
	b, err := os.ReadFile(r.config)
	must(t, err)
	_, rest, _ := strings.Cut(string(b), `target: "`)
	target, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no target in %s", b)
	}
	return target
}

// TestScheduledVerify: a remote that was set back to an older copy is found and,
// if so configured, healed, with nobody at hand; else it is told until it is.
func TestScheduledVerify(t *testing.T) {
	t.Parallel()
	for _, repair := range []bool{true, false} {
		t.Run(strconv.FormatBool(repair), func(t *testing.T) {
			t.Parallel()
			src, dst := trees(t)
			fill(t, src, 50)
			extra := fmt.Sprintf(`defaults: {verify: {schedule: "@every 3s", repair: %t}}`, repair)
			_, r := serve(t, src, dst, extra)
			r.start()
			r.flush(30 * time.Second)
			image := filepath.Join(r.dir, "image")
			run(t, "cp", "-a", dst, image)
			for i := range 20 {
				write(t, filepath.Join(src, "d"+strconv.Itoa(i%10), "new"+strconv.Itoa(i)), "new")
			}
			must(t, os.RemoveAll(filepath.Join(src, "d3")))
			r.flush(30 * time.Second)
			testbed.WaitEqual(t, src, dst, time.Second)
			run(t, "rsync", "-a", "--delete", image+"/", dst+"/")
			if repair {
				// d3 is a stranger now: the source has lost it long ago.
				testbed.WaitEqual(t, src, dst, 40*time.Second, testbed.Options{Skip: func(p string) bool { return p == "d3" }})
				return
			}
			r.waitFor("E-DIVERGED", 40*time.Second, func() bool {
				doc := r.status().remote(t, "src/r")
				return doc.Error != nil && doc.Error.ID == "E-DIVERGED" && doc.State == "failing"
			})
			if diff, err := testbed.DiffTrees(src, dst, testbed.Options{}); err != nil || len(diff) == 0 {
				t.Errorf("healed without being told to: %v", err)
			}
			r.kill9()
			if out, _, _ := r.cli("status"); !strings.Contains(out, "E-DIVERGED") {
				t.Errorf("without the daemon:\n%s", out)
			}
			r.start()
			r.waitState("src/r", "failing", 10*time.Second)
			contains(t, r.logged(), "differs from the source", "error_id=E-DIVERGED", "path=d1/new1")
			r.mustCLI("sync") // heals as well
			r.flush(30 * time.Second)
			r.waitFor("the error to end", 30*time.Second, func() bool { return r.status().remote(t, "src/r").Error == nil })
		})
	}
}

func (r *rig) logged() string {
	b, err := os.ReadFile(r.log)
	must(r.t, err)
	return string(b)
}

// TestMissedVerify: a run that fell due while nothing ran is made up for at the
// next start, once.
func TestMissedVerify(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "f"), "f")
	_, r := serve(t, src, dst, `defaults: {verify: {schedule: "@every 25s", repair: true}}`)
	r.start()
	r.flush(20 * time.Second)
	begun := func() int { return strings.Count(r.logged(), `msg="scheduled verify"`) }
	// The schedule begins with the first round of upkeep.
	r.waitFor("the schedule to begin", 15*time.Second, func() bool {
		out, _, _ := r.cli("status", "--json")
		return strings.Contains(out, `"scheduled":"20`)
	})
	r.stop()
	if n := begun(); n != 0 {
		t.Fatalf("%d verifies so far", n)
	}
	withTimes(t, filepath.Join(dst, "f"), func() { write(t, filepath.Join(dst, "f"), "tampered") })
	time.Sleep(26 * time.Second)
	r.start()
	testbed.WaitEqual(t, src, dst, 15*time.Second) // long before another 25 s are over
	if n := begun(); n != 1 {
		t.Errorf("%d verifies", n)
	}
}

// TestVerifyThatCannot: why a remote was not compared, and with which status.
func TestVerifyThatCannot(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	fill(t, src, 30)
	d, r := serve(t, src, dst, "defaults: {retry: {initial: 200ms, max: 1s}, guard: {max_delete: 5}}")
	r.start()
	r.flush(30 * time.Second)
	check := func(what string, want int, text string) {
		t.Helper()
		_, errOut, code := r.cli("verify")
		if code != want || !strings.Contains(errOut, text) {
			t.Errorf("%s: exit %d, %q", what, code, errOut)
		}
		lines, _ := r.verify()
		if len(lines["result"]) != 1 || lines["result"][0].Result.Compared || !strings.Contains(lines["result"][0].Result.Message, text) {
			t.Errorf("%s: %+v", what, lines)
		}
	}
	r.mustCLI("pause", "src/r", "--reason", "disk swap")
	check("paused", 3, "src/r could not be compared: paused: disk swap")
	r.mustCLI("resume", "src/r")
	d.Stop()
	check("away", 3, "src/r could not be compared: E-CONNECT")
	must(t, d.Start())
	must(t, os.RemoveAll(filepath.Join(src, "d1")))
	must(t, os.RemoveAll(filepath.Join(src, "d2")))
	r.waitState("src/r", "held", 20*time.Second)
	check("held", 4, "src/r could not be compared: held: G-MAXDELETE")
	r.mustCLI("approve", "src/r")
	r.flush(30 * time.Second)
	if _, code := r.verify(); code != 0 {
		t.Errorf("at the end: exit %d", code)
	}
}

// TestVerifyEnds: with the command, however that ends, and in time.
func TestVerifyEnds(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "f"), "f")
	dir := t.TempDir()
	pids := filepath.Join(dir, "pids")
	slow := filepath.Join(dir, "rsync")
	// Comparisons take for ever.
	must(t, os.WriteFile(slow, []byte("#!/bin/sh\ncase \" $* \" in *' -n '*--files-from=*) echo $$ >> "+pids+"; exec sleep 600;; esac\nexec rsync \"$@\"\n"), 0o755))
	_, r := serve(t, src, dst, "defaults: {rsync: {path: "+slow+"}}")
	r.start()
	r.flush(20 * time.Second)
	gone := func() {
		t.Helper()
		r.waitFor("the rsync to be gone", 10*time.Second, func() bool {
			b, err := os.ReadFile(pids)
			must(t, err)
			for _, f := range strings.Fields(string(b)) {
				pid, err := strconv.Atoi(f)
				must(t, err)
				if syscall.Kill(pid, 0) == nil {
					return false
				}
			}
			v := r.status().remote(t, "src/r").Verify // which ends after its rsync
			return v == nil || v.Running == nil
		})
		must(t, os.Remove(pids))
	}
	begin := func() *testbed.Process {
		t.Helper()
		p := startCommand(t, "--config", r.config, "--socket", r.socket, "verify")
		r.waitFor("the comparison", 20*time.Second, func() bool { _, err := os.Stat(pids); return err == nil })
		return p
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		p := begin()
		if sig == syscall.SIGINT {
			if _, errOut, code := r.cli("verify"); code != 75 || !strings.Contains(errOut, "a verify of this remote is under way") {
				t.Errorf("a second one: exit %d %q", code, errOut)
			}
		}
		must(t, p.Signal(sig))
		err := p.Wait()
		if exit, ok := err.(*exec.ExitError); sig == syscall.SIGINT && (!ok || exit.ExitCode() != 130) {
			t.Errorf("after %v: %v", sig, err)
		}
		gone()
	}
	_, errOut, code := r.cli("verify", "--timeout", "1s")
	if code != 3 || !strings.Contains(errOut, "not done in time") {
		t.Errorf("timeout: exit %d %q", code, errOut)
	}
	gone()
	// Changes go on meanwhile, and the end of the daemon is the end of it all.
	begin()
	write(t, filepath.Join(src, "g"), "g")
	r.flush(10 * time.Second)
	r.stop()
	for _, f := range strings.Fields(readAll(t, pids)) {
		pid, err := strconv.Atoi(f)
		must(t, err)
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("rsync %d outlives the daemon", pid)
		}
	}
}

func readAll(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}
