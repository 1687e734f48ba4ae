// The demo program shows gorsyncd at work on this machine: two modules of a
// real rsync daemon on a loopback port, a tree that changes, a kill -9 in the
// middle, a restart, and the proof that all three trees are equal.
//
//	make demo
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gorsyncd/bench/testbed"
)

func main() {
	binary := flag.String("bin", "build/gorsyncd", "the gorsyncd to show")
	keep := flag.Bool("keep", false, "keep the directory with trees, configuration and journal")
	flag.Parse()
	if err := run(*binary, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// show is the state of one demonstration.
type show struct {
	dir, src string
	dst      [2]string
	g        *testbed.Gorsyncd
}

func run(binary string, keep bool) error {
	dir, err := os.MkdirTemp("", "gorsyncd-demo-")
	if err != nil {
		return err
	}
	if !keep {
		defer os.RemoveAll(dir)
	}
	s := &show{dir: dir, src: filepath.Join(dir, "www")}
	s.dst = [2]string{filepath.Join(dir, "web1"), filepath.Join(dir, "web2")}
	for _, d := range []string{s.src, s.dst[0], s.dst[1], filepath.Join(dir, "rsyncd")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	d, err := testbed.NewRsyncd(filepath.Join(dir, "rsyncd"),
		testbed.Module{Name: "web1", Path: s.dst[0]}, testbed.Module{Name: "web2", Path: s.dst[1]})
	if err != nil {
		return err
	}
	defer d.Stop()

	title("A tree with 500 files, an rsync daemon with two modules, and this configuration")
	testbed.NewChurn(s.src, 1).Steps(200)
	for i := range 500 {
		if err := s.write(fmt.Sprintf("site%d/page%d.html", i%20, i), fmt.Sprintf("<h1>page %d</h1>\n", i)); err != nil {
			return err
		}
	}
	yaml := fmt.Sprintf("sources:\n  - path: %s\n    remotes:\n      - {name: web1, target: %q}\n      - {name: web2, target: %q}\n",
		s.src, d.Target("web1"), d.Target("web2"))
	fmt.Print(yaml)
	if s.g, err = testbed.NewGorsyncd(binary, dir, yaml); err != nil {
		return err
	}
	defer s.g.Stop()
	for _, scene := range []func() error{s.firstSync, s.liveChanges, s.killInTheMiddle, s.proof} {
		if err := scene(); err != nil {
			if log, lerr := os.ReadFile(s.g.Log); lerr == nil {
				fmt.Fprintf(os.Stderr, "the daemon's log:\n%s\n", log)
			}
			return err
		}
	}
	return nil
}

func (s *show) firstSync() error {
	title("gorsyncd run: both modules get everything")
	if err := s.g.Start(); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	return s.print("status")
}

func (s *show) liveChanges() error {
	title("Live: ten changes, one after the other, timed from close to visible on web1")
	for i := range 10 {
		name := fmt.Sprintf("live/news%d.html", i)
		if err := s.write(name, "fresh\n"); err != nil {
			return err
		}
		start := time.Now()
		for {
			if _, err := os.Stat(filepath.Join(s.dst[0], name)); err == nil {
				break
			}
			if time.Since(start) > 20*time.Second {
				return fmt.Errorf("%s did not arrive", name)
			}
			time.Sleep(200 * time.Microsecond)
		}
		fmt.Printf("  %s after %.1f ms\n", name, float64(time.Since(start).Microseconds())/1000)
	}
	return nil
}

func (s *show) killInTheMiddle() error {
	title("Heavy change: writes, renames, removals, hard links, odd names; kill -9 in the middle of it")
	churn := testbed.NewChurn(s.src, 2)
	for range 60 {
		churn.Steps(10)
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Printf("  kill -9 %d\n", s.g.Pid())
	if err := s.g.Kill9(); err != nil {
		return err
	}
	churn.Steps(400)
	fmt.Println("  400 more changes while it is down")
	if err := s.print("status"); err != nil {
		return err
	}
	if err := s.print("journal", "inspect", "--state", "queued"); err != nil {
		return err
	}
	title("Started again")
	if err := s.g.Start(); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.print("status"); err != nil {
		return err
	}
	if err := s.print("journal", "inspect", "--state", "acked"); err != nil {
		return err
	}
	return s.print("journal", "check")
}

func (s *show) proof() error {
	title("Are the trees equal? Type, mode, owner, size, time to the nanosecond, content, links")
	for _, dst := range s.dst {
		diff, err := testbed.DiffTrees(s.src, dst, testbed.Options{})
		if err != nil {
			return err
		}
		if len(diff) > 0 {
			return fmt.Errorf("%s differs:\n%s", dst, strings.Join(diff, "\n"))
		}
		nodes, err := testbed.Snapshot(dst, testbed.Options{})
		if err != nil {
			return err
		}
		fmt.Printf("  %s equals the source: %d paths, 0 differences\n", filepath.Base(dst), len(nodes))
	}
	return nil
}

func (s *show) flush() error {
	start := time.Now()
	if err := s.g.Flush(time.Minute); err != nil {
		return err
	}
	fmt.Printf("  gorsyncd flush: all of it is on both after %.2f s\n", time.Since(start).Seconds())
	return nil
}

// print runs a command and shows at most the last lines of what it says.
func (s *show) print(args ...string) error {
	fmt.Printf("\n$ gorsyncd %s\n", strings.Join(args, " "))
	out, code, err := s.g.Run(args...)
	if err != nil {
		return err
	}
	const most = 12
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	if len(lines) > most {
		fmt.Println(strings.Join(lines[:2], "\n"))
		fmt.Printf("  … %d lines …\n", len(lines)-most)
		lines = lines[len(lines)-most+3:]
	}
	fmt.Println(strings.Join(lines, "\n"))
	if code != 0 && code != 3 {
		return fmt.Errorf("gorsyncd %s: exit status %d", strings.Join(args, " "), code)
	}
	return nil
}

func (s *show) write(name, content string) error {
	path := filepath.Join(s.src, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

func title(text string) { fmt.Printf("\n== %s\n", text) }
