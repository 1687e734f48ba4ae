package replicate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorsyncd/bench/testbed"
	"gorsyncd/journal"
)

func TestOldVersion(t *testing.T) {
	for v, old := range map[string]bool{
		"3.1.3": true, "3.2.7": true, "3.4.0": true, "3.4.1+ds1": true, "3.4.3": true, "3.4.4pre1": true, "2.6.9": true,
		"3.4.4": false, "3.4.10": false, "3.5.0": false, "3.5.0dev": false, "4.0.0": false, "10.0.0": false, "": false, "unknown": false, "3": false, "x.y.z": false,
	} {
		if oldVersion(v) != old {
			t.Errorf("%q: old %v", v, !old)
		}
	}
}

// TestProbeOldRsync: the version of the other side is known of a daemon and
// behind ssh, and that it aborts removals, which then go another way.
func TestProbeOldRsync(t *testing.T) {
	old := testbed.OldRsync(t)
	oldID := func(p probed) journal.Finding {
		for _, f := range p.found {
			if f.ID == idOld {
				return f
			}
		}
		return journal.Finding{}
	}
	dst := t.TempDir()
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst, Extra: []string{"use chroot = no"}})
	now := localVersion(t.Context(), "rsync")
	if p := probeIt(t, d.Target("m")); oldVersion(now) != strings.Contains(oldID(p).Detail, now+" on the remote") || !p.looked.version {
		t.Errorf("version %s is told as %+v", now, oldID(p))
	}
	d.Stop()
	d.Binary = old
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	write(t, dst, map[string]string{probeName + "/left/x": "1", "mine": "1"})
	was, err := os.Stat(dst)
	if err != nil {
		t.Fatal(err)
	}
	p := probeIt(t, d.Target("m"))
	if f := oldID(p); !strings.Contains(f.Detail, "rsync 3.2.") || !strings.Contains(f.Detail, "on the remote") {
		t.Errorf("an old daemon is told as %+v", f)
	}
	if p.ids() != "W-RSYNC-343 W-SYMLINKS" || !p.done || !p.clean || !p.swept {
		t.Errorf("found %q: %+v", p.ids(), p)
	}
	if _, err := os.Lstat(filepath.Join(dst, probeName)); err == nil {
		t.Error("the probe is left behind")
	}
	if is, err := os.Stat(filepath.Join(dst, "mine")); err != nil {
		t.Errorf("something else is gone: %v %v", is, err)
	}
	if is, err := os.Stat(dst); err != nil || is.Mode() != was.Mode() {
		t.Errorf("the root has other attributes: %v %v", is, err)
	}
	local := probeIt(t, t.TempDir(), func(o *Options) { o.Rsync.Path = old })
	if f := oldID(local); !strings.HasSuffix(f.Detail, " on this side") {
		t.Errorf("an old client is told as %+v", f)
	}
}
