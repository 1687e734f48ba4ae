package journal

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// childEnv makes the test binary a child process that works on a journal.
const childEnv = "GORSYNCD_JOURNAL_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		code := m.Run()
		removePrograms()
		os.Exit(code)
	case "hold":
		childHold(os.Args[1])
	case "crash":
		childCrash(os.Args[1], os.Args[2])
	case "populate":
		childPopulate(os.Args[1])
	case "damaged":
		memTableSize = damageMemTable
		childDamaged(os.Args[1])
	case "open":
		childDamaged(os.Args[1])
	}
}

// childHold keeps a journal open until its input ends.
func childHold(dir string) {
	j, err := Open(Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("open")
	io.Copy(io.Discard, os.Stdin)
	j.Close()
}

// startChild runs the test binary as a child that dies with the test.
func startChild(t *testing.T, mode string, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childEnv+"="+mode)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // ends with this process
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd, bufio.NewReader(out)
}

// kill is kill -9; a second call does nothing.
func kill(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// holdOpen starts a child that has the journal open.
func holdOpen(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd, out := startChild(t, "hold", dir)
	if line, err := out.ReadString('\n'); line != "open\n" {
		t.Fatal(line, err)
	}
	return cmd
}
