package lab

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// start runs a shell script that says "ready" first, killed at the end.
func start(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", "echo ready; "+script)
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q %v", line, err)
	}
	return cmd
}

func TestChildren(t *testing.T) {
	cmd := start(t, "(sleep 61; true) & sleep 62 & wait")
	var kids []Child
	for deadline := time.Now().Add(5 * time.Second); len(kids) < 3 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		kids = Children(cmd.Process.Pid)
	}
	var names []string
	for _, k := range kids {
		names = append(names, strings.Join(k.Args, " "))
	}
	if len(kids) != 3 || kids[2].Name != "sleep" || kids[2].Parent != kids[0].PID {
		t.Fatalf("children %q", names)
	}
	pids, err := Signal(cmd.Process.Pid, "sleep", unix.SIGKILL)
	must(t, err)
	if len(pids) != 2 {
		t.Fatalf("signalled %v", pids)
	}
	must(t, cmd.Wait())
	if left := Children(cmd.Process.Pid); len(left) != 0 {
		t.Fatalf("children of a dead process: %v", left)
	}
}

func TestRlimit(t *testing.T) {
	cmd := start(t, "read x; exec 3>/dev/null 4>/dev/null 5>/dev/null")
	pid := cmd.Process.Pid
	restore, err := Rlimit(pid, unix.RLIMIT_NOFILE, 5)
	must(t, err)
	if got := softLimit(t, pid); got != 5 {
		t.Fatalf("limit %d", got)
	}
	must(t, restore())
	if got := softLimit(t, pid); got == 5 {
		t.Fatal("the limit stayed")
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	must(t, restore())
	if _, err := Rlimit(pid, unix.RLIMIT_NOFILE, 5); err == nil {
		t.Fatal("limited a dead process")
	}
}

func softLimit(t *testing.T, pid int) uint64 {
	t.Helper()
	var l unix.Rlimit
	must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &l))
	return l.Cur
}

// TestLimitMemory lets a process eat more than it may.
func TestLimitMemory(t *testing.T) {
	const eat = `while [ ! -e "$0.go" ]; do sleep 0.01; done; head -c 200000000 /dev/zero | tail -c 200000000 >/dev/null && touch "$0.ok"`
	mark := filepath.Join(t.TempDir(), "mark")
	script := strings.ReplaceAll(eat, "$0", mark)
	cmd := start(t, script)
	restore, err := LimitMemory(cmd.Process.Pid, 60<<20)
	must(t, err)
	write(t, mark+".go", "", false)
	_ = cmd.Wait() // the shell may be the one that is killed
	if _, err := os.Stat(mark + ".ok"); err == nil {
		t.Fatal("200 MB in 60 MB of memory")
	}
	must(t, restore())
	must(t, restore())

	// The same without a limit goes well.
	must(t, start(t, script).Wait())
	if _, err := os.Stat(mark + ".ok"); err != nil {
		t.Fatal(err)
	}
}

// TestSysctl changes a setting to what it is, and undoes a dead maker's change.
func TestSysctl(t *testing.T) {
	const path = "/proc/sys/vm/stat_interval" // of no consequence
	read := func() string {
		b, err := os.ReadFile(path)
		must(t, err)
		return strings.TrimSpace(string(b))
	}
	old := read()
	restore, err := WriteSysctl("vm.stat_interval", "77")
	must(t, err)
	defer func() { must(t, restore()) }()
	if read() != "77" {
		t.Fatalf("set to %s", read())
	}
	must(t, CleanStale(t.TempDir())) // not ours while we live
	if read() != "77" {
		t.Fatal("the clean-up undid a living process's setting")
	}
	must(t, restore())
	must(t, restore())
	if read() != old {
		t.Fatalf("restored to %s, was %s", read(), old)
	}

	dead := exec.Command("true")
	must(t, dead.Run())
	must(t, os.WriteFile(path, []byte("78"), 0))
	note := filepath.Join(noteDir(), itoa(dead.Process.Pid)+"-1")
	must(t, os.WriteFile(note, []byte("vm/stat_interval\n"+old+"\n"), 0o600))
	must(t, CleanStale(t.TempDir()))
	if read() != old {
		t.Fatalf("a dead maker's setting is %s, was %s", read(), old)
	}
}
