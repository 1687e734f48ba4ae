package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestStrangersAtStart: a remote, and a whole source, that were taken out of the
// file while nothing ran are kept, are seen without a daemon, and go on when they
// are back.
func TestStrangersAtStart(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	a, b := mkdir(t, base, "a"), mkdir(t, base, "b")
	a1, a2, b1 := mkdir(t, base, "a1"), mkdir(t, base, "a2"), mkdir(t, base, "b1")
	fill(t, a, 30)
	fill(t, b, 30)
	all := fmt.Sprintf("sources:\n  - {path: %s, name: src, remotes: [%s, %s]}\n  - {path: %s, remotes: [%s]}\n", a, a1, a2, b, b1)
	r := newRig(t, all)
	r.start()
	r.flush(30 * time.Second)
	r.stop()

	r.setConfig(fmt.Sprintf("sources: [{path: %s, name: src, remotes: [%s]}]\n", a, a1))
	out, _, code := r.cli("status")
	if code != 3 {
		t.Errorf("status without a daemon: exit %d", code)
	}
	contains(t, out, "src/a2 is no longer configured", "b/b1 is no longer configured")
	r.start()
	must(t, os.RemoveAll(filepath.Join(a, "d4")))
	must(t, os.RemoveAll(filepath.Join(b, "d4"))) // nobody is watching
	write(t, filepath.Join(a, "new"), "x")
	r.flush(30 * time.Second)
	var doc statusDoc
	r.waitFor("the entries to be counted", 10*time.Second, func() bool {
		doc = r.status()
		k, _ := doc.kept("src/a2")
		return k.LagEntries > 0
	})
	if _, ok := doc.kept("b/b1"); !ok || len(doc.Kept) != 2 || len(doc.Remotes) != 1 {
		t.Errorf("%+v", doc)
	}
	out, _, _ = r.cli("status", "b")
	contains(t, out, "no remote to show", "b/b1 is no longer configured; the journal keeps its place: gorsyncd reload --forget b/b1")
	if _, errOut, code := r.cli("pause", "src/a2"); code != 64 {
		t.Errorf("pause of a remote that is not configured: exit %d, %s", code, errOut)
	}

	r.setConfig(all)
	r.mustCLI("reload")
	r.flush(30 * time.Second)
	testbed.WaitEqual(t, a, a2, time.Second)
	testbed.WaitEqual(t, b, b1, time.Second)
	if n := r.fullSyncs("a2") + strings.Count(readFile(t, r.log), `msg="full sync done" source=b remote=b1 `); n != 2 {
		t.Errorf("%d full syncs, want those of the first start", n)
	}

	// A source that is gone is forgotten with all its remotes.
	r.setConfig(fmt.Sprintf("sources: [{path: %s, name: src, remotes: [%s, %s]}]\n", a, a1, a2))
	contains(t, r.mustCLI("reload"), "b: removed\n", "b/b1: removed; its place")
	contains(t, r.mustCLI("reload", "--forget", "b"), "b/b1: forgotten")
	if out := r.mustCLI("journal", "stats"); strings.Contains(out, "b1") || !strings.Contains(out, "src") {
		t.Errorf("of a source that was forgotten:\n%s", out)
	}
	// One of that name is a new one, wherever it is.
	other := mkdir(t, base, "other")
	fill(t, other, 5)
	r.setConfig(strings.Replace(all, "path: "+b+",", "name: b, path: "+other+",", 1))
	contains(t, r.mustCLI("reload"), "b/b1: added; full sync starts")
	r.flush(30 * time.Second)
	if _, err := os.Stat(filepath.Join(b1, "d0", "0")); err != nil {
		t.Error(err)
	}
	for _, src := range r.status().Sources {
		if src.State != "watching" {
			t.Errorf("%+v", src)
		}
	}
	if _, err := os.Stat(filepath.Join(b1, "d9", "29")); err != nil {
		t.Errorf("what the new source never had was removed as the old one's: %v", err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return string(b)
}

// TestReloadOfABadFile: every mistake is named with its place, by the command and
// in the log, and nothing changes.
func TestReloadOfABadFile(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	r := newRig(t, oneRemote(src, dst, ""))
	r.start()
	r.setConfig(oneRemote(src, dst, "defaults: {workers: many, settel: 1s}\nlog: {level: loud}"))
	for _, args := range [][]string{{"reload"}, {"reload", "--dry-run"}} {
		_, errOut, code := r.cli(args...)
		if code != 78 {
			t.Errorf("%v: exit %d", args, code)
		}
		contains(t, errOut, ":8:21: ", "workers: ", ":8:27: ", `did you mean "settle"?`, ":9:14: ", "the running daemon keeps its configuration")
	}
	_, errOut, code := r.cli("reload", "--json")
	var doc struct {
		Error struct{ Code, Message, Hint string }
	}
	if err := json.Unmarshal([]byte(errOut), &doc); err != nil || code != 78 || doc.Error.Code != "config_invalid" {
		t.Errorf("--json: exit %d, %v\n%s", code, err, errOut)
	}
	contains(t, doc.Error.Message, ":8:21: ", ":8:27: ", ":9:14: ")
	last := r.status().Daemon.LastReload
	must(t, r.proc.Signal(syscall.SIGHUP))
	r.waitFor("the reload after SIGHUP", 10*time.Second, func() bool { return r.status().Daemon.LastReload != last })
	contains(t, r.status().Daemon.LastReloadError, ":8:21: ")
	out, _, _ := r.cli("status")
	contains(t, out, "the last reload was refused")
	write(t, filepath.Join(src, "f"), "x")
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}

// TestReloadOfKeys: what a running daemon can change is changed, the log as well,
// and what it cannot is named until it is started anew.
func TestReloadOfKeys(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	r := newRig(t, oneRemote(src, dst, "log: {level: warn}"))
	daemon := startCommand(t, "run", "--config", r.config)
	r.waitFor("the daemon", 30*time.Second, func() bool { _, ok := r.tryStatus(); return ok })
	logFile := filepath.Join(r.dir, "other.log")
	r.setConfig(oneRemote(src, dst, fmt.Sprintf("log: {level: debug, format: json, file: %s}\njournal: {ballast: 1M, max_size: 1G, retain: 0s}", logFile)))
	out := r.mustCLI("reload")
	contains(t, out, "log.level: warn → debug\n", "log.format: auto → json\n", "log.file: \"\" → "+logFile, "journal.max_size: 2G → 1G\n", "journal.retain: 24h → 0",
		"journal.ballast: needs a restart, until then 64M is in use; "+r.config+":9:20 says 1M\n", "src/r: unchanged\n")
	write(t, filepath.Join(src, "f"), "x")
	r.flush(20 * time.Second)
	contains(t, readFile(t, logFile), `"level":"DEBUG","msg":"batch"`)
	doc := r.status()
	if strings.Join(doc.Daemon.NeedsRestart, " ") != "journal.ballast" {
		t.Errorf("needs a restart: %v", doc.Daemon.NeedsRestart)
	}
	out, _, _ = r.cli("status")
	contains(t, out, "needs a restart to be applied: journal.ballast")
	contains(t, r.mustCLI("config", "show", "--running"), "max_size: 1G", "ballast: 64M # default", "level: debug")

	r.setConfig(oneRemote(src, dst, fmt.Sprintf("log: {file: %s/none/log}", r.dir)))
	_, errOut, code := r.cli("reload")
	if code != 78 {
		t.Errorf("a log file that cannot be opened: exit %d", code)
	}
	contains(t, errOut, r.config+":8:13: log.file: ")
	r.setConfig(oneRemote(src, dst, "log: {level: warn}"))
	contains(t, r.mustCLI("reload"), "log.file: "+logFile+" → \"\"\n")
	if doc := r.status(); len(doc.Daemon.NeedsRestart) > 0 || doc.Daemon.LastReloadError != "" {
		t.Errorf("%+v", doc.Daemon)
	}
	must(t, daemon.Signal(syscall.SIGTERM))
	must(t, daemon.Wait())
}

// TestReloadWithoutAFile: there is nothing to read again.
func TestReloadWithoutAFile(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	r := newRig(t, "")
	startCommand(t, "run", "--state-dir", r.stateDir(), "--socket", r.socket, src, dst)
	r.waitFor("the daemon", 30*time.Second, func() bool { _, ok := r.tryStatus(); return ok })
	_, errOut, code := r.cli("reload")
	if code != 64 {
		t.Errorf("exit %d", code)
	}
	contains(t, errOut, "started without a configuration file", "gorsyncd init")
}
