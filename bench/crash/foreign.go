package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gorsyncd/bench/testbed"
)

// foreignState makes the state directory of another gorsyncd, with a source of
// the same name and another tree, in dir/state.
func (w *world) foreignState(dir string) error {
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	for _, d := range []string{src, dst} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	testbed.NewChurn(src, w.rnd.Uint64()).Steps(60)
	yaml := fmt.Sprintf("sources:\n  - path: %q\n    name: %s\n    remotes:\n", src, sourceName)
	for _, r := range w.remotes {
		at := filepath.Join(dst, r.name)
		if err := os.Mkdir(at, 0o755); err != nil {
			return err
		}
		yaml += fmt.Sprintf("      - {name: %s, target: %q}\n", r.name, at)
	}
	g, err := testbed.NewGorsyncd(w.bin, dir, yaml)
	if err != nil {
		return err
	}
	if err := g.Start(); err != nil {
		return err
	}
	defer g.Stop()
	return g.Flush(20 * time.Second)
}
