package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// testLimit is for one test; one that hangs without its protection has failed.
const testLimit = 2 * time.Minute

// result is a row of the table with what came of it.
type result struct {
	protection
	verdict string
	proved  bool
	took    time.Duration // of the failing run
}

// proveAll proves rows in a copy of the checkout, which it removes.
func proveAll(ctx context.Context, top string, rows []protection) (results []result, failed int, err error) {
	dir, err := checkout(top)
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(dir)
	for _, p := range rows {
		r, err := prove(ctx, dir, p)
		if err != nil {
			return nil, 0, fmt.Errorf("point %d, %s: %w", p.point, p.test, err)
		}
		if !r.proved {
			failed++
		}
		fmt.Fprintf(os.Stderr, "%d: %s: %s (%s)\n", p.point, p.test, r.verdict, r.took.Round(100*time.Millisecond))
		results = append(results, r)
	}
	return results, failed, nil
}

// prove runs the test of one protection with and without it.
func prove(ctx context.Context, dir string, p protection) (result, error) {
	r := result{protection: p}
	passed, out, err := runTest(ctx, dir, p)
	if err != nil {
		return r, err
	}
	if !passed {
		r.verdict = "fails as it is"
		fmt.Fprintln(os.Stderr, out)
		return r, nil
	}
	undo, err := apply(dir, p.edits)
	if err != nil {
		return r, errors.Join(err, undo())
	}
	begin := time.Now()
	passed, out, err = runTest(ctx, dir, p)
	r.took = time.Since(begin)
	if err = errors.Join(err, undo()); err != nil {
		return r, err
	}
	r.proved = !passed
	r.verdict = "fails without it"
	if passed {
		r.verdict = "passes without it"
		fmt.Fprintln(os.Stderr, out)
	}
	return r, nil
}

// runTest tells whether the test of a protection passes. That it cannot be
// built or does not run is an error.
func runTest(ctx context.Context, dir string, p protection) (passed bool, output string, err error) {
	pattern := "^" + strings.ReplaceAll(p.test, "/", "$/^") + "$"
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-v", "-timeout", testLimit.String(), "-run", pattern, "./"+p.dir)
	cmd.Dir = dir
	// The tests of a killed run must not go on.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	output = out.String()
	name, _, _ := strings.Cut(p.test, "/")
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return false, output, ctx.Err()
	case strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]"):
		return false, output, fmt.Errorf("it does not build:\n%s", output)
	case !strings.Contains(output, "=== RUN   "+name):
		return false, output, fmt.Errorf("the test does not run:\n%s", output)
	case err == nil:
		return true, output, nil
	case errors.As(err, &exit):
		return false, output, nil
	}
	return false, output, err
}
