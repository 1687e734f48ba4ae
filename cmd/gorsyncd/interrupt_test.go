package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestBrokenConnection: a connection that the daemon gave up does not end a
// command, which may be waiting for it to come back.
func TestBrokenConnection(t *testing.T) {
	ctx, stop := interruptible()
	defer stop()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	if _, err := w.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Fatalf("the pipe is not broken: %v", err)
	}
	select {
	case <-ctx.Done():
		t.Error("interrupted")
	case <-time.After(200 * time.Millisecond):
	}
}

// TestNobodyReads: a command whose output nobody reads any more ends by itself,
// and cleans up before.
func TestNobodyReads(t *testing.T) {
	if os.Getenv("GORSYNCD_TEST_PIPE") != "" {
		ctx, stop := interruptible()
		defer stop()
		for {
			if _, err := os.Stdout.WriteString("line\n"); err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			os.Exit((&app{err: io.Discard}).report(&os.PathError{Err: syscall.EPIPE}))
		case <-time.After(10 * time.Second):
			os.Exit(1)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestNobodyReads$")
	cmd.Env = append(os.Environ(), "GORSYNCD_TEST_PIPE=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 10)); err != nil {
		t.Error(err)
	}
	out.Close()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitPipe {
		t.Errorf("ended with %v, want exit status %d", err, exitPipe)
	}
}
