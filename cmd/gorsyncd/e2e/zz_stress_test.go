package e2e

import (
	"os"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

func TestZZStress(t *testing.T) {
	if os.Getenv("ZZ") == "" {
		return
	}
	for name, c := range map[string]struct {
		extra string
		local bool
		attr  bool
	}{
		"all":   {"delete: all", false, false},
		"local": {"workers: 1, warm: 0", true, false},
		"attr":  {"attributes: with_content", false, true},
		"allattr":  {"delete: all, attributes: with_content, workers: 2", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, dst := trees(t)
			target := dst
			if !c.local {
				target = testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst}).Target("m")
			}
			r := newRig(t, oneRemote(src, target, "defaults: {empty_dirs: false, "+c.extra+", retry: {initial: 200ms, max: 2s}, guard: {max_delete: 0}}"))
			churnAndKill(t, r, src, 5)
			r.flush(60 * time.Second)
			if !c.attr {
				equalButEmpty(t, src, dst)
			}
			if lines, code := r.verify("--checksum"); code != 0 {
				t.Errorf("verify: exit %d: %v", code, told(lines))
			}
			r.mustCLI("sync", "--checksum")
			r.flush(60 * time.Second)
			equalButEmpty(t, src, dst)
			r.setLine("empty_dirs: false", "empty_dirs: true")
			r.mustCLI("reload")
			r.flush(60 * time.Second)
			testbed.WaitEqual(t, src, dst, 5*time.Second)
		})
	}
}
