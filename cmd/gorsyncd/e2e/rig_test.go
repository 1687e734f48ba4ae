package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// binary is the built gorsyncd. client is the same without the race detector, for
// the commands that ask a daemon: they are started by the thousand, the detector
// costs each a quarter of a second of processor time, and the tests of the commands
// themselves, in cmd/gorsyncd, have it.
var binary, client string

// Most tests wait for something most of the time, so several run at once,
// also on a machine with few processors. Those that change kernel limits are
// not parallel, and so run before all others.
const atOnce = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gorsyncd-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "gorsyncd")
	client = binary
	if err = build(binary, buildFlags...); err == nil && len(buildFlags) > 0 {
		client = filepath.Join(dir, "client", "gorsyncd")
		err = build(client)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(to string, flags ...string) error {
	args := append(append([]string{"build"}, flags...), "-o", to, "gorsyncd/cmd/gorsyncd")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build gorsyncd: %w\n%s", err, out)
	}
	return nil
}

// rig is one gorsyncd with its configuration, state and socket.
type rig struct {
	t      *testing.T
	dir    string
	config string
	socket string
	log    string
	env    []string // of the daemon, besides env()
	proc   *testbed.Process
}

// newRig writes the configuration: state and socket of its own in front of the
// given sources and defaults.
func newRig(t *testing.T, yaml string) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, dir: dir, config: filepath.Join(dir, "gorsyncd.yaml"), log: filepath.Join(dir, "log")}
	// Socket paths are limited to 108 bytes, test directories are not.
	sockDir, err := os.MkdirTemp("", "grs")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(sockDir) })
	r.socket = filepath.Join(sockDir, "s")
	r.setConfig(yaml)
	t.Cleanup(r.cleanup)
	return r
}

func (r *rig) setConfig(yaml string) {
	r.t.Helper()
	head := fmt.Sprintf("state_dir: %s\nsocket: %s\n", r.stateDir(), r.socket)
	must(r.t, os.WriteFile(r.config, []byte(head+yaml), 0o600))
}

func (r *rig) stateDir() string { return filepath.Join(r.dir, "state") }

// cleanup stops what still runs and lets the journal be checked.
func (r *rig) cleanup() {
	if r.proc != nil {
		r.stop()
	}
	if _, err := os.Stat(r.stateDir()); err == nil && !r.t.Failed() {
		if out, errOut, code := r.cli("journal", "check"); code != 0 {
			r.t.Errorf("journal check: exit %d\n%s%s", code, out, errOut)
		}
	}
	b, err := os.ReadFile(r.log)
	if err != nil {
		return
	}
	if r.t.Failed() {
		r.t.Logf("of the daemon's log:\n%s", excerpt(string(b)))
	}
	if dir := os.Getenv("GORSYNCD_LOGS"); dir != "" {
		must(r.t, os.WriteFile(filepath.Join(dir, strings.ReplaceAll(r.t.Name(), "/", "_")+".log"), b, 0o600))
	}
}

// excerpt is what explains a failure: the beginning of a crash, and the end.
func excerpt(log string) string {
	const most = 6000
	for _, mark := range []string{"panic: ", "fatal error: ", "WARNING: DATA RACE"} {
		if i := strings.Index(log, mark); i >= 0 {
			return log[i:min(len(log), i+most)]
		}
	}
	return tail(log, most)
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}

// start starts the daemon and waits until it answers.
func (r *rig) start() {
	r.t.Helper()
	r.spawn()
	r.waitAnswer()
}

// waitAnswer waits until the daemon that was spawned answers, and asks it with the
// command as well.
func (r *rig) waitAnswer() {
	r.t.Helper()
	r.waitFor("the daemon to answer", 30*time.Second, func() bool {
		select {
		case <-r.proc.Done():
			r.t.Fatalf("gorsyncd run ended: %v", r.proc.Wait())
		default:
		}
		_, ok := r.tryStatus()
		return ok
	})
	if doc := r.statusOfCommand(); doc.Source != "daemon" {
		r.t.Errorf("the command asks %q", doc.Source)
	}
}

func (r *rig) spawn() {
	r.t.Helper()
	r.spawnArgs("run", "--config", r.config)
}

func (r *rig) spawnArgs(args ...string) {
	r.t.Helper()
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(r.t, err)
	defer log.Close()
	cmd := exec.Command(binary, append(args, "--log-level", "debug")...)
	cmd.Env = append(env(), r.env...)
	cmd.Stdout, cmd.Stderr = log, log
	r.proc, err = testbed.StartProcess(cmd)
	must(r.t, err)
}

func env() []string {
	// The race detector waits for a second before each process ends.
	return append(os.Environ(), "GOTRACEBACK=all", "GORACE=halt_on_error=1 atexit_sleep_ms=0")
}

// kill9 kills the daemon as a crash would.
func (r *rig) kill9() {
	r.t.Helper()
	must(r.t, r.proc.Signal(syscall.SIGKILL))
	<-r.proc.Done()
	r.proc = nil
}

// stop ends the daemon politely and expects exit status 0.
func (r *rig) stop() {
	r.t.Helper()
	if err := r.proc.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.t.Errorf("signal daemon: %v", err)
	}
	select {
	case <-r.proc.Done():
	case <-time.After(60 * time.Second):
		_ = r.proc.Signal(syscall.SIGQUIT) // goroutine dump into the log
		time.Sleep(time.Second)
		r.t.Errorf("the daemon did not stop within 60 s of SIGTERM")
		r.proc.Kill()
	}
	if err := r.proc.Wait(); err != nil {
		r.t.Errorf("gorsyncd run: %v", err)
	}
	r.proc = nil
}

// cli runs a gorsyncd command against this rig.
func (r *rig) cli(args ...string) (stdout, stderr string, code int) {
	r.t.Helper()
	return gorsyncd(r.t, append([]string{"--config", r.config, "--socket", r.socket}, args...)...)
}

// gorsyncd runs the binary; a command that takes over two minutes fails the test.
func gorsyncd(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	bin := client
	if slices.Contains(args, "run") {
		bin = binary
	}
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env = env()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("gorsyncd %v hangs", args)
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		t.Fatalf("gorsyncd %v: %v", args, err)
	}
	return out.String(), errOut.String(), code
}

// mustCLI is cli that expects success.
func (r *rig) mustCLI(args ...string) string {
	r.t.Helper()
	out, errOut, code := r.cli(args...)
	if code != 0 {
		r.t.Fatalf("gorsyncd %v: exit %d\n%s%s", args, code, out, errOut)
	}
	return out
}

// flush waits until everything is on the remotes.
func (r *rig) flush(limit time.Duration, args ...string) {
	r.t.Helper()
	r.mustCLI(append([]string{"flush", "--timeout", limit.String()}, args...)...)
}

// The parts of status --json that tests judge by.
type statusDoc struct {
	Source string `json:"source"`
	Daemon struct {
		Version         string   `json:"version"`
		LastReload      string   `json:"last_reload"`
		LastReloadError string   `json:"last_reload_error"`
		NeedsRestart    []string `json:"needs_restart"`
	} `json:"daemon"`
	Journal struct {
		Entries   uint64 `json:"entries"`
		SizeBytes int64  `json:"size_bytes"`
		PinnedBy  string `json:"pinned_by"`
	} `json:"journal"`
	Sources []sourceDoc `json:"sources"`
	Remotes []remoteDoc `json:"remotes"`
	Sinks   []remoteDoc `json:"sinks"`
	Kept    []keptDoc   `json:"kept"`
}

type sourceDoc struct {
	Name      string   `json:"name"`
	State     string   `json:"state"`
	Held      string   `json:"held"`
	Overflows uint64   `json:"overflows"`
	Backend   string   `json:"backend"`
	Unwatched int      `json:"unwatched"`
	Hints     []string `json:"hints"`
}

type remoteDoc struct {
	Name       string  `json:"name"`
	State      string  `json:"state"`
	LagEntries uint64  `json:"lag_entries"`
	LagSeconds float64 `json:"lag_seconds"`
	Failing    int     `json:"failing"`
	WireBytes  uint64  `json:"wire_bytes"`
	Transfers  uint64  `json:"transfers"`
	LastFull   string  `json:"last_full_sync"`
	Findings   []struct {
		ID     string `json:"id"`
		Remedy string `json:"remedy"`
	} `json:"findings"`
	FullSync *struct {
		Reason string `json:"reason"`
	} `json:"full_sync"`
	Verify *struct {
		Running *struct{} `json:"running"`
	} `json:"verify"`
	Limit      int64      `json:"bwlimit_bytes_per_second"`
	LimitUntil *time.Time `json:"bwlimit_until"`
	Error      *struct {
		ID        string    `json:"id"`
		Class     string    `json:"class"`
		Message   string    `json:"message"`
		Hint      string    `json:"hint"`
		Attempts  int       `json:"attempts"`
		NextRetry time.Time `json:"next_retry"`
	} `json:"error"`
}

func (d statusDoc) remote(t *testing.T, name string) remoteDoc {
	t.Helper()
	for _, r := range slices.Concat(d.Remotes, d.Sinks) {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("status lacks remote %s: %+v", name, d)
	return remoteDoc{}
}

// waitFor polls until cond holds.
func (r *rig) waitFor(what string, limit time.Duration, cond func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(deadline) {
			out, _, _ := r.cli("status")
			r.t.Fatalf("waited %s for %s\n%s", limit, what, out)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// waitState waits until a remote is in the given state.
func (r *rig) waitState(remote, state string, limit time.Duration) remoteDoc {
	r.t.Helper()
	var doc remoteDoc
	r.waitFor(remote+" to be "+state, limit, func() bool {
		doc = r.status().remote(r.t, remote)
		return doc.State == state
	})
	return doc
}

// waitSync waits until every remote and every sink is in sync.
func (r *rig) waitSync(limit time.Duration) {
	r.t.Helper()
	r.waitFor("all remotes to be in sync", limit, func() bool {
		st := r.status()
		for _, rem := range slices.Concat(st.Remotes, st.Sinks) {
			if rem.State != "in_sync" {
				return false
			}
		}
		return true
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// seed returns the test's seed and prints it; GORSYNCD_SEED replays one.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := rand.Uint64()
	if v := os.Getenv("GORSYNCD_SEED"); v != "" {
		var err error
		s, err = strconv.ParseUint(v, 10, 64)
		must(t, err)
	}
	t.Logf("seed: GORSYNCD_SEED=%d", s)
	return s
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

func mkdir(t *testing.T, elem ...string) string {
	t.Helper()
	dir := filepath.Join(elem...)
	must(t, os.MkdirAll(dir, 0o755))
	return dir
}

// trees makes two directories.
func trees(t *testing.T) (src, dst string) {
	t.Helper()
	base := t.TempDir()
	return mkdir(t, base, "src"), mkdir(t, base, "dst")
}

// serve starts an rsync daemon with dst as its module m and configures src to
// be replicated to it, with extra lines for the top level.
func serve(t *testing.T, src, dst, extra string) (*testbed.Rsyncd, *rig) {
	t.Helper()
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	return d, newRig(t, oneRemote(src, d.Target("m"), extra))
}

// oneRemote is the configuration of one source called src with one remote
// called r, with extra lines for the top level.
func oneRemote(src, target, extra string) string {
	return fmt.Sprintf("sources:\n  - path: %q\n    name: src\n    remotes:\n      - {name: r, target: %q}\n%s\n", src, target, extra)
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is missing in:\n%s", p, text)
		}
	}
}
