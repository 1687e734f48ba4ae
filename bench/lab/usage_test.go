package lab

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestCPUCountsWaitedChildren compares with what the kernel said of a child when
// it was waited for.
func TestCPUCountsWaitedChildren(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	after, err := CPU(os.Getpid())
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if got := after - before; err != nil || used < 3*tick || got < used-2*tick {
		t.Errorf("%v (%v), the child alone used %v", got, err, used)
	}
}

// TestComputed: what all processors do includes what this one does.
func TestComputed(t *testing.T) {
	before, err := Computed()
	if err != nil {
		t.Fatal(err)
	}
	own, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for {
		now, err := CPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if now-own < 10*tick {
			continue
		}
		after, err := Computed()
		if err != nil || after-before < 8*tick || after-before > time.Hour {
			t.Errorf("all: %v, this process: %v (%v)", after-before, now-own, err)
		}
		return
	}
}

func TestMemoryAndWakeups(t *testing.T) {
	cmd := exec.Command("sh", "-c", "echo; while :; do sleep 0.01; done")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	m, err := ReadMemory(cmd.Process.Pid)
	if err != nil || m.Anon <= 0 || m.RSS < m.Anon || m.Threads != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	first, err := Wakeups(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		now, err := Wakeups(cmd.Process.Pid)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("it has been woken %d times, then %d (%v)", first, now, err)
		}
		if now >= first+3 {
			break
		}
	}
	if _, err := ReadMemory(1 << 30); err == nil {
		t.Error("no error for a process that is not there")
	}
}
