package config

import (
	"strings"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Size
	}{
		{"0", 0}, {"512", 512}, {"1K", 1024}, {"256M", 256 << 20}, {"2g", 2 << 30}, {"1.5G", 3 << 29},
		{"4KiB", 4096}, {"3T", 3 << 40},
	} {
		got, err := parseSize(c.in)
		if err != nil || got != c.want {
			t.Errorf("parseSize(%q) = %d, %v", c.in, got, err)
		}
		if back, err := parseSize(got.String()); err != nil || back != got {
			t.Errorf("%q prints as %q, which parses to %d, %v", c.in, got, back, err)
		}
	}
	for _, in := range []string{"", "M", "1X", "-1", "1MB", "1.3", "1e3", "99999999T", "NaN", "0x10", "1 M", "."} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", in, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Duration
		out  string
	}{
		{"0", 0, "0s"}, {"2ms", 2 * time.Millisecond, "2ms"}, {"60s", time.Minute, "1m"}, {"24h", day, "24h"},
		{"7d", 7 * day, "168h"}, {"1d12h", 36 * time.Hour, "36h"}, {"1h30m", 90 * time.Minute, "1h30m"}, {"90s", 90 * time.Second, "1m30s"},
		{"1h0m5s", time.Hour + 5*time.Second, "1h0m5s"}, {"0d", 0, "0s"},
	} {
		got, err := parseDuration(c.in)
		if err != nil || got != c.want || formatDuration(got) != c.out {
			t.Errorf("parseDuration(%q) = %v, %v, formatted %q", c.in, got, err, formatDuration(got))
		}
		if back, err := parseDuration(formatDuration(got)); err != nil || back != got {
			t.Errorf("%q does not survive formatting: %v, %v", c.in, back, err)
		}
	}
	for _, in := range []string{"", "5", "-1s", "x", "1w", "d", "1.5d", "99999999d", "1d-1h", "1d2d", "inf"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("parseDuration(%q) = %v, want an error", in, got)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"targt", "target", 1}, {"taregt", "target", 1}, {"kitten", "sitting", 3}, {"", "abc", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"password: hunter2", "password: ***"},
		{"{passwd: 'x', b: c}", "{passwd: ***"},
		{"password_file: /etc/pass", "password_file: /etc/pass"},
		{"pasword: hunter2", "pasword: ***"},
		{"- rsync://me:p/w@h/m", "- rsync://me:***@h/m"},
		{"- rsync://me:p@w@h/m", "- rsync://me:***@h/m"},
		{"- me:p w@h::m", "- me:***@h::m"},
		{"- rsync://me:pw@h/m", "- rsync://me:***@h/m"},
		{"- me:pw@h::m", "- me:***@h::m"},
		{"target: deploy@h:/data/a@b", "target: deploy@h:/data/a@b"},
		{"- rsync_backup@h::www", "- rsync_backup@h::www"},
	} {
		if got := mask(c.in); got != c.want {
			t.Errorf("mask(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestExcerptMasksPasswordFile(t *testing.T) {
	for in, want := range map[string]string{
		"password_file: hunter2": "password_file: ***", `{password_file: "hunter2"}`: `{password_file: "***`,
		"password_file: /etc/pass": "password_file: /etc/pass", "password_file: ~/pass": "password_file: ~/pass",
	} {
		if got := excerpt(in); got != want {
			t.Errorf("excerpt(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestTargetsWithPasswords: they are refused, and nothing of them is repeated.
func TestTargetsWithPasswords(t *testing.T) {
	for _, target := range []string{
		"rsync://bob:S3cret@h/m", "bob:S3cret@h::m", "bob:S3cret@h:/m", "ftp://bob:S3cret@h/m", "RSYNC://bob:S3cret@h/m",
		"rsync://bob:S3c/ret@h/m", "bob:S3c/ret@h::m", "bob:S3c@ret@h::m", "bob:S3c ret@h::m", "rsync://bob:S3c:ret@h/m", "rsync://bob:S3cret@[::1]/m",
	} {
		_, err := FromArgs("/data", []string{target}, Options{})
		if err == nil || !strings.Contains(err.Error(), "password_file") {
			t.Errorf("%s: %v", target, err)
		}
		for _, part := range []string{"S3c", "ret@"} {
			if err != nil && strings.Contains(err.Error(), part) {
				t.Errorf("%s is repeated: %v", target, err)
			}
		}
	}
	for _, target := range []string{"rsync://h:8730/m/a@b", "h::m/a@b", "h:/m/a:b@c", "u@h:/m/a:b@c", "u@h::m", "rsync://[::1]:8730/a@b", "/d/a:b@c"} {
		if _, err := FromArgs("/data", []string{target}, Options{}); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestDefaultPaths(t *testing.T) {
	env := func(m map[string]string) func(string) string { return func(k string) string { return m[k] } }
	for _, c := range []struct {
		name string
		env  map[string]string
		root bool
		want Paths
	}{
		{"root", nil, true, Paths{"/etc/gorsyncd/gorsyncd.yaml", "/var/lib/gorsyncd", "/run/gorsyncd/gorsyncd.sock"}},
		{"systemd", map[string]string{"STATE_DIRECTORY": "/var/lib/x:/y", "RUNTIME_DIRECTORY": "/run/x"}, true,
			Paths{"/etc/gorsyncd/gorsyncd.yaml", "/var/lib/x", "/run/x/gorsyncd.sock"}},
		{"user", map[string]string{"HOME": "/home/u", "XDG_RUNTIME_DIR": "/run/user/1"}, false,
			Paths{"/home/u/.config/gorsyncd/gorsyncd.yaml", "/home/u/.local/state/gorsyncd", "/run/user/1/gorsyncd/gorsyncd.sock"}},
		{"xdg", map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, false,
			Paths{"/c/gorsyncd/gorsyncd.yaml", "/s/gorsyncd", "/s/gorsyncd/gorsyncd.sock"}},
	} {
		if got := DefaultPaths(env(c.env), c.root); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
