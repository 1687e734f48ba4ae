package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestThreeSourcesTwoRemotesEach: daemon, ssh and local targets, all at once,
// while all three trees change in every way.
func TestThreeSourcesTwoRemotesEach(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	var src [3]string
	var dst [3][2]string
	for i := range 3 {
		src[i] = mkdir(t, base, fmt.Sprintf("src%d", i))
		for j := range 2 {
			dst[i][j] = mkdir(t, base, fmt.Sprintf("dst%d%d", i, j))
		}
	}
	d := testbed.RunRsyncd(t,
		testbed.Module{Name: "a", Path: dst[0][0]},
		testbed.Module{Name: "b", Path: dst[1][0]},
		testbed.Module{Name: "c", Path: dst[2][0]})
	s := testbed.RunSSHD(t)

	r := newRig(t, fmt.Sprintf(`
defaults:
  retry: {initial: 200ms, max: 2s}
  guard: {max_delete: 100000}
  ssh: {port: %d, identity_file: %s, known_hosts: %s}
sources:
  - path: %s
    remotes: [%q, {name: ssh, target: %q}]
  - path: %s
    remotes:
      - {name: daemon, target: %q}
      - {name: ssh, target: %q}
  - path: %s
    remotes:
      - {name: daemon, target: %q}
      - {name: disk, target: %q}
`, s.Port, s.IdentityFile, s.KnownHosts,
		src[0], d.Target("a"), s.Target(dst[0][1]),
		src[1], d.Target("b"), s.Target(dst[1][1]),
		src[2], d.Target("c"), dst[2][1]))

	n := seed(t)
	var churns [3]*testbed.Churn
	for i := range churns {
		churns[i] = testbed.NewChurn(src[i], n+uint64(i))
		churns[i].Steps(150) // there before the first start
	}
	r.start()
	for range 40 {
		for _, c := range churns {
			c.Steps(10)
		}
		time.Sleep(25 * time.Millisecond) // so that changes meet transfers, not one burst
	}
	r.flush(90 * time.Second)
	for i := range 3 {
		for j := range 2 {
			testbed.WaitEqual(t, src[i], dst[i][j], 5*time.Second)
		}
	}
	r.waitSync(10 * time.Second)
}

// TestKinds walks through each kind of change alone: one change, one flush,
// equal trees.
func TestKinds(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	src, dst := mkdir(t, base, "src"), mkdir(t, base, "dst")
	outside := mkdir(t, base, "outside")
	_, r := serve(t, src, dst, "defaults: {rsync: {args: [-X]}}")
	r.start()
	in := func(elem ...string) string { return filepath.Join(append([]string{src}, elem...)...) }

	steps := []struct {
		name string
		do   func() error
	}{
		{"file", func() error { return os.WriteFile(in("f"), []byte("one"), 0o644) }},
		{"rewrite, same size, same second", func() error { return os.WriteFile(in("f"), []byte("two"), 0o644) }},
		{"append", func() error { return appendTo(in("f"), "more") }},
		{"truncate", func() error { return os.Truncate(in("f"), 1) }},
		{"mode", func() error { return os.Chmod(in("f"), 0o600) }},
		{"setuid", func() error { return os.Chmod(in("f"), 0o755|os.ModeSetuid) }},
		{"owner", func() error { return os.Lchown(in("f"), 1234, 2345) }},
		{"old time", func() error { return os.Chtimes(in("f"), time.Unix(1e9, 5), time.Unix(1e9, 5)) }},
		{"same size and time, other content", func() error { return sameSizeAndTime(in("f")) }},
		{"xattr", func() error { return exec.Command("setfattr", "-n", "user.note", "-v", "hi", in("f")).Run() }},
		{"directory", func() error { return os.Mkdir(in("d"), 0o750) }},
		{"deep directories", func() error { return os.MkdirAll(in("d/1/2/3/4/5"), 0o755) }},
		{"file below", func() error { return os.WriteFile(in("d/1/2/3/4/5/f"), []byte("deep"), 0o644) }},
		{"directory mode", func() error { return os.Chmod(in("d/1"), 0o700) }},
		{"root mode", func() error { return os.Chmod(src, 0o711) }},
		{"symlink", func() error { return os.Symlink("../f", in("d/link")) }},
		{"dangling symlink", func() error { return os.Symlink("nowhere", in("dangling")) }},
		{"symlink changed", func() error { _ = os.Remove(in("d/link")); return os.Symlink("other", in("d/link")) }},
		{"hard link", func() error { return os.Link(in("f"), in("d/hard")) }},
		{"write through a hard link", func() error { return appendTo(in("d/hard"), "x") }},
		{"third name", func() error { return os.Link(in("d/hard"), in("d/1/hard3")) }},
		{"one name less", func() error { return os.Remove(in("f")) }},
		{"fifo", func() error { return syscall.Mkfifo(in("pipe"), 0o640) }},
		{"device", func() error { return syscall.Mknod(in("null"), syscall.S_IFCHR|0o666, 1<<8|3) }},
		{"sparse file", func() error { return sparse(in("holes"), 8<<20) }},
		{"empty file", func() error { return os.WriteFile(in("empty"), nil, 0o644) }},
		{"rename", func() error { return os.Rename(in("empty"), in("renamed")) }},
		{"rename over", func() error {
			_ = os.WriteFile(in("other"), []byte("new"), 0o644)
			return os.Rename(in("other"), in("renamed"))
		}},
		{"file becomes directory", func() error { _ = os.Remove(in("renamed")); return os.MkdirAll(in("renamed/sub"), 0o755) }},
		{"directory becomes file", func() error { _ = os.RemoveAll(in("renamed")); return os.WriteFile(in("renamed"), []byte("f"), 0o644) }},
		{"directory moved within", func() error { return os.Rename(in("d"), in("e")) }},
		{"file in the moved directory", func() error { return os.WriteFile(in("e/1/2/after"), []byte("x"), 0o644) }},
		{"directory moved out", func() error { return os.Rename(in("e/1"), filepath.Join(outside, "1")) }},
		{"changed outside", func() error { return os.WriteFile(filepath.Join(outside, "1/2/out"), []byte("x"), 0o644) }},
		{"directory moved in", func() error { return os.Rename(filepath.Join(outside, "1"), in("back")) }},
		{"two directories swap names", func() error {
			_ = os.Rename(in("e"), in("tmp"))
			_ = os.Rename(in("back"), in("e"))
			return os.Rename(in("tmp"), in("back"))
		}},
		{"removed and made again", func() error {
			_ = os.RemoveAll(in("e"))
			_ = os.Mkdir(in("e"), 0o755)
			return os.WriteFile(in("e/only"), []byte("x"), 0o644)
		}},
		{"directory moved away and back", func() error { _ = os.Rename(in("e"), in("away")); return os.Rename(in("away"), in("e")) }},
		{"vi", func() error { return viSave(in("vi.txt")) }},
		{"temporary file that came and went", func() error { _ = os.WriteFile(in("tmp1"), nil, 0o644); return os.Remove(in("tmp1")) }},
		{"tree removed", func() error { return os.RemoveAll(in("back")) }},
	}
	for _, name := range testbed.OddNames {
		steps = append(steps, struct {
			name string
			do   func() error
		}{fmt.Sprintf("name %.20q", name), func() error {
			_ = os.MkdirAll(in("odd", name), 0o755)
			_ = os.WriteFile(in("odd", name, name), []byte(name), 0o644)
			return os.WriteFile(in(name), []byte(name), 0o644)
		}})
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		r.flush(20 * time.Second)
		diff, err := testbed.DiffTrees(src, dst, testbed.Options{Xattrs: true})
		if err != nil || len(diff) > 0 {
			t.Fatalf("after %q: %v %v", s.name, err, diff)
		}
	}
	for _, name := range testbed.OddNames {
		must(t, os.Remove(in(name)))
		must(t, os.RemoveAll(in("odd", name)))
	}
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second, testbed.Options{Xattrs: true})
	if strays, _ := filepath.Glob("x"); len(strays) > 0 {
		t.Errorf("a file name was run as a command")
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

// sameSizeAndTime changes the content and puts size and mtime back.
func sameSizeAndTime(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("?"), 0); err != nil {
		return err
	}
	return os.Chtimes(path, st.ModTime(), st.ModTime())
}

func sparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte("end"), size)
	return err
}

// viSave does what vi does on :w with backup files.
func viSave(path string) error {
	for _, content := range []string{"first", "second"} {
		dir := filepath.Dir(path)
		if err := os.WriteFile(filepath.Join(dir, "4913"), nil, 0o644); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(dir, "4913")); err != nil {
			return err
		}
		_ = os.Rename(path, path+"~")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
		_ = os.Remove(path + "~")
	}
	return nil
}
