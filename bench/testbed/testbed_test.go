package testbed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// push copies src to target the way a person would.
func push(t *testing.T, args ...string) {
	t.Helper()
	args = append([]string{"-aH", "--delete", "--modify-window=-1", "-s"}, args...)
	if out, err := exec.Command("rsync", args...).CombinedOutput(); err != nil {
		t.Fatalf("rsync %v: %v\n%s", args, err, out)
	}
}

func TestServersServeAndOracleAgrees(t *testing.T) {
	src, dst := t.TempDir(), t.TempDir()
	churn := NewChurn(src, 7)
	churn.Steps(300)

	d := RunRsyncd(t, Module{Name: "m", Path: dst})
	push(t, src+"/", d.Target("m")+"/")
	WaitEqual(t, src, dst, time.Second)

	churn.Steps(50)
	s := RunSSHD(t)
	push(t, "-e", "ssh -p "+strconv.Itoa(s.Port)+" -i "+s.IdentityFile+" -o UserKnownHostsFile="+s.KnownHosts,
		src+"/", s.Target(dst)+"/")
	WaitEqual(t, src, dst, time.Second)

	d.Stop()
	if _, err := exec.Command("rsync", d.Target("m")).Output(); err == nil {
		t.Fatal("the daemon answers after Stop")
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	push(t, src+"/", d.Target("m")+"/")
}

// TestOracleSees makes one difference of each kind and expects to be told.
func TestOracleSees(t *testing.T) {
	when := time.Unix(1_600_000_000, 123)
	build := func(t *testing.T) string {
		root := t.TempDir()
		for _, f := range []string{"a", "b", "dir/c"} {
			p := filepath.Join(root, f)
			must(t, os.MkdirAll(filepath.Dir(p), 0o755))
			must(t, os.WriteFile(p, []byte("same"), 0o644))
		}
		must(t, os.Link(filepath.Join(root, "a"), filepath.Join(root, "a2")))
		must(t, os.Symlink("a", filepath.Join(root, "link")))
		stamp(t, root, when)
		return root
	}
	changes := map[string]func(root string) error{
		"content": func(r string) error { return os.WriteFile(filepath.Join(r, "b"), []byte("diff"), 0o644) },
		"mode":    func(r string) error { return os.Chmod(filepath.Join(r, "b"), 0o600) },
		"setuid":  func(r string) error { return os.Chmod(filepath.Join(r, "b"), 0o644|os.ModeSetuid) },
		"owner":   func(r string) error { return os.Lchown(filepath.Join(r, "b"), 12, 34) },
		"nanosec": func(r string) error { return os.Chtimes(filepath.Join(r, "b"), when, when.Add(1)) },
		"missing": func(r string) error { return os.Remove(filepath.Join(r, "dir/c")) },
		"extra":   func(r string) error { return os.Mkdir(filepath.Join(r, "dir/new"), 0o755) },
		"link":    func(r string) error { p := filepath.Join(r, "link"); _ = os.Remove(p); return os.Symlink("b", p) },
		"hard link": func(r string) error {
			p := filepath.Join(r, "a2")
			_ = os.Remove(p)
			return os.WriteFile(p, []byte("same"), 0o644)
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			a, b := build(t), build(t)
			if diff, err := DiffTrees(a, b, Options{}); err != nil || len(diff) > 0 {
				t.Fatalf("equal trees differ: %v %v", err, diff)
			}
			must(t, change(b))
			if name != "nanosec" {
				stamp(t, b, when) // so that the times do not give it away
			}
			if diff, err := DiffTrees(a, b, Options{}); err != nil || len(diff) == 0 {
				t.Fatalf("the change is not seen (%v)", err)
			}
		})
	}
}

func TestChildDiesWithGroup(t *testing.T) {
	p, err := StartProcess(exec.Command("sh", "-c", "sleep 1000 & wait"))
	must(t, err)
	p.Kill()
	p.Kill()
	if p.Wait() == nil {
		t.Fatal("a killed child must report it")
	}
}

func stamp(t *testing.T, root string, when time.Time) {
	t.Helper()
	must(t, filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.Mode()&os.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(path, when, when)
	}))
	// Symlinks carry times too; os.Chtimes follows them.
	out, err := exec.Command("touch", "-h", "-d", "@1600000000.000000123", filepath.Join(root, "link")).CombinedOutput()
	if err != nil {
		t.Fatalf("touch: %v: %s", err, out)
	}
	must(t, os.Chtimes(root, when, when))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
