package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
)

// TestWatchWaitsForTheDaemon: it says so once, asks again every second, and
// ends with the interruption.
func TestWatchWaitsForTheDaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none")
	synctest.Test(t, func(t *testing.T) {
		var out, errOut bytes.Buffer
		a := newApp(&out, &errOut)
		set := flag.NewFlagSet("status", flag.PanicOnError)
		set.String(flagSocket, socket, "")
		set.Bool("watch", true, "")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+watchEvery/2)
		defer cancel()
		start := time.Now()
		err := a.status(ctx, cli.NewContext(a.cli, set, nil))
		var code silent
		if !errors.As(err, &code) || code != control.ExitInterrupted {
			t.Errorf("got %v", err)
		}
		if got := time.Since(start); got != 10*time.Second+watchEvery/2 {
			t.Errorf("ended after %v", got)
		}
		if strings.Count(errOut.String(), "waiting for it") != 1 || out.Len() > 0 {
			t.Errorf("stdout %q, stderr %q", out.String(), errOut.String())
		}
	})
}

func TestFitNeverWraps(t *testing.T) {
	for _, c := range []struct {
		in   string
		cols int
		want string
	}{{"short", 80, "short"}, {"abcdef", 6, "abcd…"}, {"报表报表", 8, "报表报…"}} {
		if got := fit(c.in, c.cols); got != c.want {
			t.Errorf("fit(%q, %d) = %q, want %q", c.in, c.cols, got, c.want)
		}
	}
}
