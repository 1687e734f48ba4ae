package channel

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func script(t *testing.T, text string) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(f, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCommand(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	c := &Command{Argv: []string{script(t, `cat > "$1"; echo "$GORSYNCD_KIND $GORSYNCD_NOTIFIER"`), out}}
	if a, f := send(t, c, trouble(1)); f != nil || a.Text != "exit 0 problem ops" {
		t.Fatal(a, f)
	}
	b, err := os.ReadFile(out)
	if doc := decode(t, string(b)); err != nil || doc["kind"] != "problem" || !strings.Contains(field(doc, "text"), "www/nas is failing") {
		t.Errorf("%v %s", err, b)
	}
	for text, id := range map[string]string{"exit 3": idExit, "exit 127": idExec, "kill -9 $$": idExit} {
		if _, f := send(t, &Command{Argv: []string{script(t, "cat >/dev/null; echo why\n"+text)}}, trouble(1)); f == nil || f.ID != id || f.Person != (id == idExec) {
			t.Errorf("%s: %+v", text, f)
		}
	}
	if _, f := send(t, &Command{Argv: []string{"/nonexistent/program"}}, trouble(1)); f == nil || f.ID != idExec || !f.Person {
		t.Errorf("%+v", f)
	}
}

// TestCommandThatHangs ends with its children.
func TestCommandThatHangs(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pids")
	c := &Command{Argv: []string{script(t, `sleep 600 & echo $! > "$1.new"; mv "$1.new" "$1"; wait`), pids}}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(pids); err == nil {
				return
			}
		}
	}()
	if _, f := c.Send(ctx, trouble(1)); f == nil || f.ID != idSlow {
		t.Errorf("%+v", f)
	}
	b, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(5 * time.Millisecond) {
		stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if _, rest, ok := strings.Cut(string(stat), ") "); ok && strings.HasPrefix(rest, "Z") {
			break // ended; whoever adopted it has not asked
		}
		if time.Now().After(end) {
			t.Fatal("its child goes on")
		}
	}
}
