package replicate

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

func TestParseChange(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Change
		ok   bool
	}{
		{"<f.st......|r/im", Change{Item: "<f.st......", Path: "r/im"}, true},
		{"*deleting  |r/im/", Change{Item: "*deleting", Path: "r/im", Delete: true, Dir: true}, true},
		{".d..t......|r/", Change{Item: ".d..t......", Path: "r", Dir: true}, true},
		{".d..t......|./", Change{Item: ".d..t......", Dir: true}, true},
		{".f         |a", Change{Item: ".f", Path: "a"}, true},
		{`>f+++++++++|a\#012b|c`, Change{Item: ">f+++++++++", Path: "a\nb|c"}, true},
		{`hf+++++++++|x\#134#012`, Change{Item: "hf+++++++++", Path: `x\#012`}, true},
		{"Total bytes sent: 5", Change{}, false},
		{"cannot delete non-empty directory: a|b", Change{}, false},
		{"", Change{}, false}, {"|x", Change{}, false}, {">f+++++++++|", Change{}, false},
	} {
		got, ok := parseChange(c.in)
		if ok != c.ok || got != c.want {
			t.Errorf("parseChange(%q) = %+v, %v", c.in, got, ok)
		}
	}
}

// TestOddNamesInOutput has the installed rsync print every odd name.
func TestOddNamesInOutput(t *testing.T) {
	g := newRig(t)
	g.o.setDefaults()
	names := slices.Clone(testbed.OddNames)
	names = append(names, `\#012`, `a\#b`, "\x01\x7f\x80", "x -> y", "|", ">f+++++++++|x")
	b := &Batch{Lane: LaneTop}
	for _, n := range names {
		write(t, g.src, map[string]string{n: "x"})
		b.Paths = append(b.Paths, n)
	}
	res := newRsyncTransport(&g.o).Run(context.Background(), b, Verify)
	got := map[string]bool{}
	for _, c := range res.Changes {
		got[c.Path] = true
	}
	for _, n := range names {
		if !got[n] {
			t.Errorf("%q was not printed or not understood", n)
		}
	}
	if len(got) != len(names)+1 { // and the root
		t.Errorf("%d lines for %d names: %+v", len(got), len(names), res.Changes)
	}
}

func TestTotals(t *testing.T) {
	g := newRig(t)
	g.o.setDefaults()
	write(t, g.src, map[string]string{"d/f": strings.Repeat("x", 5000), "d/g": "1"})
	write(t, g.dst, map[string]string{"d/old": "x"})
	b := &Batch{Lane: LaneList, Paths: []string{"d/f", "d/g", "d/old"}, Parents: []string{"d"}, Removes: true}
	res := newRsyncTransport(&g.o).Run(context.Background(), b, Send)
	if res.Outcome.Class != ClassOK || res.Files != 2 || res.Deleted != 1 || res.Sent < 5000 || res.Sent > 6000 || res.Received <= 0 {
		t.Errorf("%+v", res)
	}
}

func FuzzOutput(f *testing.F) {
	f.Add(".d..t......|r/\nTotal bytes sent: 1,234\n*deleting  |a\\#012\n", 3)
	f.Fuzz(func(t *testing.T, s string, step int) {
		var sum totals
		var seen []string
		w := &lines{fn: func(l string) {
			seen = append(seen, l)
			if c, ok := parseChange(l); ok && strings.HasSuffix(c.Path, "\x00/") {
				t.Log(c)
			}
			sum.read(l)
		}}
		step = max(1, step&63)
		for b := []byte(s); len(b) > 0; b = b[min(step, len(b)):] {
			if n, err := w.Write(b[:min(step, len(b))]); err != nil || n != min(step, len(b)) {
				t.Fatal(n, err)
			}
		}
		if len(s) < maxLine && len(seen) != strings.Count(s, "\n") {
			t.Fatalf("%d lines of %q", len(seen), s)
		}
		if sum.sent < 0 || sum.received < 0 {
			t.Fatal(sum)
		}
	})
}

func TestCapture(t *testing.T) {
	var c capture
	c.Write([]byte("first\n"))
	for range 10000 {
		c.Write([]byte("in the middle\n"))
	}
	c.Write([]byte("last\n"))
	s := c.String()
	if !strings.HasPrefix(s, "first\n") || !strings.HasSuffix(s, "last\n") || len(s) > 3*captureHalf {
		t.Errorf("%d bytes: %.20q … %q", len(s), s, s[len(s)-20:])
	}
}

// TestRemoteShellWords: rsync splits -e itself; every word must come out as it
// went in, and no shell may see it.
func TestRemoteShellWords(t *testing.T) {
	g := newRig(t)
	g.to("u@127.0.0.1:" + g.dst)
	marker := t.TempDir() + "/touched"
	words := []string{"A=with space", "B=it's", `C="quoted"`, "D=$(touch " + marker + ")", "E=`touch " + marker + "`", "F=a;b", "G=''", `H=\`}
	g.o.Rsync.SSH = SSHOptions{Port: 2222, IdentityFile: "/key s/id", Options: words, ControlDir: "/run/x"}
	g.o.setDefaults()
	out := t.TempDir() + "/argv"
	bin := t.TempDir()
	script := "#!/bin/sh\nfor a; do printf '%s\\0' \"$a\"; done >" + out + "\nexit 7\n"
	if err := os.WriteFile(bin+"/ssh", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	newRsyncTransport(&g.o).Run(context.Background(), &Batch{Lane: LaneRoot, Paths: []string{""}}, Send)
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(string(raw), "\x00")
	for _, w := range append(words, `IdentityFile="/key s/id"`, "2222", "BatchMode=yes", "ControlPath=/run/x/%C", "ControlPersist=60", "u") {
		if !slices.Contains(got, w) {
			t.Errorf("%q did not arrive; got %q", w, got)
		}
	}
	if strings.Contains(string(raw), "StrictHostKeyChecking=no") {
		t.Error("host keys are not checked")
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a shell has run")
	}
}

func TestArgs(t *testing.T) {
	for _, bad := range [][]string{{"-n"}, {"--dry-run"}, {"--files-from=x"}, {"-an"}, {"-Au"}, {"/etc"}, {"--"}, {"--delete"}, {"--out-format=x"}, {"-e", "x"}} {
		if checkArgs(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if err := checkArgs([]string{"-A", "-X", "-AX", "-S", "--inplace", "--chmod=go-w", "-z", "--compress-choice=zstd"}); err != nil {
		t.Error(err)
	}
	target, _ := ParseTarget("rsync://u@[::1]:8/m")
	o := Options{Target: target, Rsync: RsyncOptions{PasswordFile: "/p", Compress: true, BWLimit: limitOf(10 << 20), Args: []string{"-A"}}}
	o.setDefaults()
	a := o.argv(&Batch{Lane: LaneReconcile, Paths: []string{"a"}}, Send)
	for _, want := range []string{"--sockopts=TCP_NODELAY", "--contimeout=10", "--timeout=60", "--password-file=/p", "-z", "--bwlimit=10240", "-A", "--no-implied-dirs"} {
		if !slices.Contains(a, want) {
			t.Errorf("%s is missing in %q", want, a)
		}
	}
	if a[len(a)-1] != "rsync://u@[::1]:8/m/" || a[len(a)-3] != "--" {
		t.Errorf("argv ends %q", a[len(a)-3:])
	}
	if long := (&Options{Rsync: RsyncOptions{SSH: SSHOptions{ControlDir: "/" + strings.Repeat("x", 60)}}}); long.controlPath() != "" {
		t.Error("a socket path that is too long")
	}
}

func TestProcessGroupIsKilled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan exited)
	go func() {
		// A grandchild that ignores SIGTERM and holds descriptor 3.
		done <- process{argv: []string{"sh", "-c", "trap '' TERM; sleep 600 & echo started >&3; wait"}, env: rsyncEnv(), extra: pw}.run(ctx)
	}()
	buf := make([]byte, 8)
	if _, err := pr.Read(buf); err != nil {
		t.Fatal(err)
	}
	cancel()
	if e := <-done; !e.canceled {
		t.Errorf("%+v", e)
	}
	pw.Close()
	// End of file: nobody holds the other end any more.
	if err := pr.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := pr.Read(buf); n != 0 || os.IsTimeout(err) {
		t.Errorf("a grandchild lives: %d %v", n, err)
	}
}

// TestOutputEndsWithTheProcess: somebody who stays behind with our stderr does
// not hold us up, and nothing that was written is missed.
func TestOutputEndsWithTheProcess(t *testing.T) {
	var out bytes.Buffer
	begin := time.Now()
	e := process{argv: []string{"sh", "-c", "sleep 5 & head -c 60000 /dev/zero; echo last >&2; exit 3"}, env: rsyncEnv(), stdout: &out}.run(context.Background())
	if e.code != 3 || e.stderr != "last\n" || out.Len() != 60000 || time.Since(begin) > 3*time.Second {
		t.Errorf("%+v, %d bytes after %v", e, out.Len(), time.Since(begin))
	}
}

// TestNoOrphans: a daemon that is killed leaves no rsync.
func TestNoOrphans(t *testing.T) {
	if os.Getenv("REPLICATE_CHILD") != "" {
		process{argv: []string{"sh", "-c", "echo $$; exec sleep 600"}, env: rsyncEnv(), stdout: os.Stdout}.run(context.Background())
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoOrphans$")
	cmd.Env = append(os.Environ(), "REPLICATE_CHILD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := testbed.StartProcess(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	buf := make([]byte, 32)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone := func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	}
	deadline := time.Now().Add(5 * time.Second)
	for !gone() && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if !gone() {
		t.Error("the child outlives its killed parent")
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
