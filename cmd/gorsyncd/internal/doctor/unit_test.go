package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/replicate"
)

func parsed(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("x", []byte(text), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func inUnits(t *testing.T, files map[string]string) {
	t.Helper()
	dir, old := t.TempDir(), unitDirs
	unitDirs = []string{filepath.Join(dir, "etc"), filepath.Join(dir, "lib")}
	t.Cleanup(func() { unitDirs = old })
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnit: where the unit is installed, local targets need a drop-in; one that has
// what is needed, in whatever file, is enough.
func TestUnit(t *testing.T) {
	local := parsed(t, `sources: [{path: /a, remotes: [/backup/a, 'h::m', {name: b, target: '/srv/50% \"x'}]}]`)
	want := `[Service]
ReadWritePaths="-/backup/a"
ReadWritePaths="-/srv/50%% \\\"x"
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER CAP_FSETID
RestrictSUIDSGID=no
`
	unitFile := map[string]string{"lib/gorsyncd.service": ""}
	root := Options{Root: true}

	inUnits(t, unitFile)
	got := unit(local, root)
	if len(got) != 1 || got[0].Level != Warn || !strings.HasSuffix(got[0].Remedy, "\n"+want) {
		t.Fatalf("got %+v, want %s", got, want)
	}
	inUnits(t, map[string]string{"lib/gorsyncd.service": "", "etc/gorsyncd.service.d/override.conf": "# mine\n" + want})
	if got := unit(local, root); len(got) != 1 || got[0].Level != OK || got[0].Remedy != "" {
		t.Errorf("with the drop-in: %+v", got)
	}
	inUnits(t, map[string]string{"lib/gorsyncd.service": "", "etc/gorsyncd.service.d/override.conf": strings.Replace(want, "/backup/a", "/backup/b", 1)})
	if got := unit(local, root); len(got) != 1 || got[0].Level != Warn {
		t.Errorf("with that of another target: %+v", got)
	}
	inUnits(t, nil)
	if got := unit(local, root); got != nil {
		t.Errorf("without the unit: %+v", got)
	}
	inUnits(t, unitFile)
	if got := unit(parsed(t, "sources: [{path: /a, remotes: ['h::m']}]"), root); got != nil {
		t.Errorf("without local targets: %+v", got)
	}
	if got := unit(local, Options{}); got != nil {
		t.Errorf("for a user: %+v", got)
	}
}

// TestCredentials: a remote whose secret only the service has is not asked.
func TestCredentials(t *testing.T) {
	c := parsed(t, fmt.Sprintf("state_dir: %s\nsources: [{path: /a, remotes: [{target: 'h::m', password_file: 'credential:rsync.pass'}]}]", t.TempDir()))
	asked := 0
	o := Options{Reach: func(context.Context, config.Remote) replicate.Reached {
		asked++
		return replicate.Reached{Outcome: replicate.Outcome{Class: replicate.ClassOK}}
	}}
	last := func() Finding { l := Look(t.Context(), c, o); return l[len(l)-1] }
	if f := last(); f.Level != Warn || !strings.Contains(f.Text, "rsync.pass") || f.Remedy == "" || asked != 0 {
		t.Errorf("%+v, asked %d times", f, asked)
	}
	o.Credentials = "/run/credentials/gorsyncd.service"
	if f := last(); f.Level != OK || asked != 1 {
		t.Errorf("%+v, asked %d times", f, asked)
	}
}
