package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// fixed keeps tests off the environment and the file system.
var fixed = Options{
	DefaultStateDir: "/var/lib/gorsyncd",
	DefaultSocket:   "/run/gorsyncd/gorsyncd.sock",
	RealPath:        func(p string) string { return p },
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("test.yaml", []byte(text), fixed)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files match %s (%v)", pattern, err)
	}
	return files
}

func TestValidSamples(t *testing.T) {
	for _, f := range append(glob(t, "testdata/valid/*.yaml"), "reference.yaml") {
		if _, err := Parse(filepath.Base(f), read(t, f), fixed); err != nil {
			t.Errorf("%s must be valid:\n%v", f, err)
		}
	}
}

func TestInvalidSamples(t *testing.T) {
	for _, f := range glob(t, "testdata/invalid/*.yaml") {
		t.Run(filepath.Base(f), func(t *testing.T) {
			_, err := Parse(filepath.Base(f), read(t, f), fixed)
			var all *Errors
			if !errors.As(err, &all) {
				t.Fatalf("want *Errors, got %v", err)
			}
			got := err.Error() + "\n"
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret was printed:\n%s", got)
			}
			if strings.Contains(got, "\x1b") {
				t.Errorf("a control character was printed:\n%q", got)
			}
			golden := strings.TrimSuffix(f, ".yaml") + ".err"
			if *update && !matches(got, golden) {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if !matches(got, golden) {
				t.Errorf("got:\n%s\nwant:\n%s", got, read(t, golden))
			}
		})
	}
}

// matches compares text with a golden file. A line there that ends in "…" is
// the beginning of the line: the rest are the words of another package.
func matches(got, golden string) bool {
	data, err := os.ReadFile(golden)
	if err != nil {
		return false
	}
	lines, want := strings.Split(got, "\n"), strings.Split(string(data), "\n")
	return slices.EqualFunc(lines, want, func(g, w string) bool {
		start, open := strings.CutSuffix(w, "…")
		return g == w || open && strings.HasPrefix(g, start)
	})
}

func TestDefaults(t *testing.T) {
	c := parse(t, string(read(t, "testdata/valid/minimal.yaml")))
	if got, want := strings.Join(c.RemoteNames(), " "), "www/192.168.222.140 www/web2.example.com"; got != want {
		t.Errorf("remotes %q, want %q", got, want)
	}
	r := c.Sources[0].Remotes[1]
	if r.Workers != 4 || r.Batch != (Batch{5000, 256 << 20}) || r.Delete != DeleteTracked ||
		r.Rsync.Path != "rsync" || r.Rsync.Timeout != time.Minute || r.Rsync.ConnectTimeout != 10*time.Second ||
		r.Retry != (Retry{time.Second, 5 * time.Minute, 0.5}) || r.FullSync != (FullSync{IfNeeded, ""}) || r.Verify != (Verify{}) ||
		r.Guard != (Guard{1000, true, true}) || r.BWLimit.Otherwise != 0 || !r.EmptyDirs {
		t.Errorf("remote defaults: %+v", r.Settings)
	}
	s := c.Sources[0]
	if s.Settle != 2*time.Millisecond || s.SettleMax != time.Second || s.Attributes != AttributesAlways || s.Filter == nil || s.Guard != (Guard{0, true, true}) {
		t.Errorf("source defaults: %+v", s)
	}
	if c.Journal != (Journal{24 * time.Hour, 2 << 30, 10 * time.Minute, 64 << 20}) || c.Log != (Log{"info", "auto", ""}) || c.Socket.Mode != 0o600 {
		t.Errorf("top-level defaults: %+v %+v %+v", c.Journal, c.Log, c.Socket)
	}
	if !c.HTTP.Same(HTTP{AnonymousRead: true, MaxClients: 100}) {
		t.Errorf("http defaults: %+v", c.HTTP)
	}
	if c.JournalDir() != "/var/lib/gorsyncd/journal" {
		t.Errorf("journal in %s", c.JournalDir())
	}
}

func TestNearestWinsLeafByLeaf(t *testing.T) {
	c := parse(t, string(read(t, "testdata/valid/nearest.yaml")))
	a, b := c.Sources[0], c.Sources[1]
	if a.settings.Workers != 2 || a.Remotes[0].Workers != 2 || a.Remotes[1].Workers != 9 || b.Remotes[0].Workers != 3 {
		t.Errorf("workers %d %d %d %d", a.settings.Workers, a.Remotes[0].Workers, a.Remotes[1].Workers, b.Remotes[0].Workers)
	}
	if got := a.Remotes[1].Batch; got != (Batch{10, 1 << 20}) {
		t.Errorf("batch of a remote with bytes alone: %+v", got)
	}
	if got := b.Remotes[0].Batch; got != (Batch{20, 2 << 20}) {
		t.Errorf("batch from defaults: %+v", got)
	}
	if a.Remotes[0].PasswordFile != "/etc/pass" || b.Remotes[0].PasswordFile != "" {
		t.Errorf("password files %q %q", a.Remotes[0].PasswordFile, b.Remotes[0].PasswordFile)
	}
	if a.Remotes[0].FullSync.Schedule != "@every 12h" || b.Remotes[0].FullSync.Schedule != "" {
		t.Errorf("schedules %q %q", a.Remotes[0].FullSync.Schedule, b.Remotes[0].FullSync.Schedule)
	}
}

func TestRemoteFilterAddsToTheSource(t *testing.T) {
	c := parse(t, string(read(t, "testdata/valid/nearest.yaml")))
	s := c.Sources[0]
	if s.Filter.Match("x.iso", false).Excluded || !s.Remotes[1].Filter.Match("x.iso", false).Excluded {
		t.Error("x.iso is watched, and kept from the second remote only")
	}
	for _, r := range s.Remotes {
		v := r.Filter.Match("x.tmp", false)
		if !v.Excluded || v.Origin != "test.yaml:5" {
			t.Errorf("x.tmp for %s: %+v", r.Name, v)
		}
		if r.Filter.Match("keep/x.tmp", false).Excluded {
			t.Errorf("keep/x.tmp is included by the rule of defaults for %s", r.Name)
		}
	}
}

func TestInheritedSettingsFitTheTarget(t *testing.T) {
	c := parse(t, `
sources: [{path: /a, remotes: ["h::m", "h2:/p", /local]}]
defaults: {password_file: /pw, ssh: {port: 22, identity_file: /id}}`)
	rs := c.Sources[0].Remotes
	for i, want := range []struct {
		pw   string
		port int
	}{{"/pw", 0}, {"", 22}, {"", 0}} {
		if rs[i].PasswordFile != want.pw || rs[i].SSH.Port != want.port {
			t.Errorf("%s: password file %q, ssh port %d", rs[i].Name, rs[i].PasswordFile, rs[i].SSH.Port)
		}
	}
}

func TestFlagsWin(t *testing.T) {
	o := fixed
	o.StateDir, o.Socket, o.LogLevel, o.LogFormat = "/flag/state", "/flag/sock", "debug", "json"
	c, err := Parse("x", []byte("state_dir: /file\nsocket: /file/s\nlog: {level: warn}\nsources: [{path: /a, remotes: ['h::m']}]"), o)
	if err != nil {
		t.Fatal(err)
	}
	if c.StateDir != "/flag/state" || c.Socket.Path != "/flag/sock" || c.Log != (Log{"debug", "json", ""}) {
		t.Errorf("%+v %+v %+v", c.StateDir, c.Socket, c.Log)
	}
}

func TestSocketGroupOpensTheMode(t *testing.T) {
	c := parse(t, "socket: {path: /s, group: adm}\nsources: [{path: /a, remotes: ['h::m']}]")
	if c.Socket != (Socket{"/s", "adm", 0o660}) {
		t.Errorf("%+v", c.Socket)
	}
}

func TestSymlinkedTargetIsFoundInsideItsSource(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/src/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir+"/src", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	o := fixed
	o.RealPath = nil
	_, err := FromArgs(dir+"/src", []string{dir + "/link/sub/new"}, o)
	if err == nil || !strings.Contains(err.Error(), "replicate itself") {
		t.Errorf("got %v", err)
	}
}

func TestFromArgs(t *testing.T) {
	t.Chdir(t.TempDir())
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	c, err := FromArgs("src", []string{"h::m", "h:/x", "./copy"}, fixed)
	if err != nil {
		t.Fatal(err)
	}
	if c.File != "" || c.Sources[0].Path != wd+"/src" || strings.Join(c.RemoteNames(), " ") != "src/h src/h-2 src/copy" {
		t.Errorf("%q %q %q", c.File, c.Sources[0].Path, c.RemoteNames())
	}
	if got := c.Sources[0].Remotes[2].Target.String(); got != wd+"/copy" {
		t.Errorf("local target %s", got)
	}
	if _, err := FromArgs("src", nil, fixed); err == nil {
		t.Error("no target must be an error")
	}
	if _, err := FromArgs("/a", []string{"nonsense"}, fixed); err == nil || !strings.HasPrefix(err.Error(), "command line: ") {
		t.Errorf("got %v", err)
	}
}

func TestLoadReportsWhatItCannotRead(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), fixed)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	big := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(big, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big, fixed); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("got %v", err)
	}
}

func TestPeekSeesPastMistakes(t *testing.T) {
	f := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(f, []byte("sources: what\nstate_dir: /s\nsocket: {path: /x, mode: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if socket, state := Peek(f); socket != "/x" || state != "/s" {
		t.Errorf("%q %q", socket, state)
	}
	if socket, state := Peek(f + ".none"); socket != "" || state != "" {
		t.Errorf("of a missing file: %q %q", socket, state)
	}
}
