package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const withCredentials = `sources:
  - path: /a
    remotes:
      - {name: d, target: "h::m", password_file: "credential:rsync.pass"}
      - name: s
        target: "h:/p"
        ssh: {identity_file: "credential:key", known_hosts: "credential:hosts", config_file: /etc/ssh/x}
`

func parsed(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("x.yaml", []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCredentials: they stay names until the service asks for paths, and are shown
// as they were written.
func TestCredentials(t *testing.T) {
	c := parsed(t, withCredentials)
	d, s := c.Sources[0].Remotes[0], c.Sources[0].Remotes[1]
	if got := d.Located("/run/c"); got.PasswordFile != "/run/c/rsync.pass" || d.PasswordFile != "credential:rsync.pass" {
		t.Errorf("located %q of %q", got.PasswordFile, d.PasswordFile)
	}
	if got := s.Located("/run/c").SSH; got.IdentityFile != "/run/c/key" || got.KnownHosts != "/run/c/hosts" || got.ConfigFile != "/etc/ssh/x" {
		t.Errorf("located %+v", got)
	}
	names := s.Credentials()
	slices.Sort(names)
	if !slices.Equal(names, []string{"hosts", "key"}) {
		t.Errorf("asks for %q", names)
	}
	shown, err := c.Show()
	if err != nil || !strings.Contains(shown, "password_file: credential:rsync.pass") {
		t.Errorf("%v\n%s", err, shown)
	}
	if again := parsed(t, shown); again.Sources[0].Remotes[0].PasswordFile != d.PasswordFile {
		t.Errorf("shown and read again: %q", again.Sources[0].Remotes[0].PasswordFile)
	}
}

func TestCheckCredentials(t *testing.T) {
	c := parsed(t, withCredentials)
	dir := t.TempDir()
	expect := func(dir string, want ...string) {
		t.Helper()
		err := c.CheckCredentials(dir)
		var list *Errors
		if len(want) == 0 {
			if err != nil {
				t.Errorf("%q: %v", dir, err)
			}
			return
		}
		if !errors.As(err, &list) || len(list.List) != len(want) {
			t.Fatalf("%q: %v, want %q", dir, err, want)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %v lacks %q", dir, err, w)
			}
		}
	}
	expect("", "x.yaml:4:", "password_file: there are no credentials", "LoadCredential=rsync.pass:/path/of/the/file")
	expect(dir, "x.yaml:4:", "x.yaml:7:", "has no credential key")
	for _, name := range []string{"rsync.pass", "key"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "hosts"), 0o700); err != nil {
		t.Fatal(err)
	}
	expect(dir, "hosts is not a file")
	if err := os.Remove(filepath.Join(dir, "hosts")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hosts"), nil, 0o400); err != nil {
		t.Fatal(err)
	}
	expect(dir)
	c = parsed(t, "sources: [{path: /a, remotes: ['h::m']}]")
	expect("")
}

// TestCredentialNames: what is no name is refused, and what may be a secret that
// stands in the wrong place is not repeated.
func TestCredentialNames(t *testing.T) {
	for _, v := range []string{"credential:", "credential:..", "credential:a/b", "credential:../shadow", "credential:a b", "credential:a:b",
		"credential:" + strings.Repeat("x", 256), "Credential:hunter2", "cred:hunter2", "${CREDENTIALS_DIRECTORY}/rsync.pass"} {
		_, err := Parse("x.yaml", []byte("sources: [{path: /a, remotes: [{target: 'h::m', password_file: '"+v+"'}]}]"), Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "credential") {
			t.Errorf("%q: %v", v, err)
		}
	}
}
