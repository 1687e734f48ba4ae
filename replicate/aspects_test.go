package replicate

import (
	"slices"
	"strings"
	"testing"
)

func TestAspectsOfArgs(t *testing.T) {
	for args, lacks := range map[string]string{
		"":                      "W-XATTRS W-ACLS",
		"-AX":                   "",
		"-A -X":                 "",
		"-HAX --no-X":           "W-XATTRS",
		"--acls --xattrs":       "",
		"--chown=www:www -AX":   "W-OWNERS",
		"-AX --no-o --no-g":     "W-OWNERS",
		"--usermap=*:nobody":    "W-OWNERS W-XATTRS W-ACLS",
		"-AX --chmod=Fg-w":      "W-MODES",
		"-AX --safe-links":      "W-SYMLINKS",
		"-B512X":                "W-XATTRS W-ACLS", // a value, no letters
		"-M--fake-super":        "W-XATTRS W-ACLS",
		"-XM--log-file=/tmp/AA": "W-ACLS",
	} {
		a := aspectsOf(strings.Fields(args), true)
		var got []string
		for _, x := range a.each() {
			if !*x.on {
				got = append(got, x.id)
			}
		}
		if strings.Join(got, " ") != lacks {
			t.Errorf("%q does not ask for %v, want %s", args, got, lacks)
		}
	}
	if a := aspectsOf(nil, false); a.owners || !a.modes {
		t.Errorf("not as root: %v", a)
	}
}

func TestReachingAndBareArgs(t *testing.T) {
	for _, c := range []struct{ args, reaching, noXattrs, neither string }{
		{"-AX", "-AX", "-A", ""},
		{"-HXS --xattrs --acls", "-X --xattrs --acls", "-HS --acls", "-HS"},
		{"-X -A --chown=a:b --bwlimit=1", "-X -A", "-A --chown=a:b --bwlimit=1", "--chown=a:b --bwlimit=1"},
		{"-4XM--fake-super -B131072", "-4XM--fake-super", "-4M--fake-super -B131072", "-4M--fake-super -B131072"},
		{"--rsync-path=/opt/X --address=::1 --backup", "--rsync-path=/opt/X --address=::1", "--rsync-path=/opt/X --address=::1 --backup", "--rsync-path=/opt/X --address=::1 --backup"},
	} {
		args := strings.Fields(c.args)
		got := [3][]string{reachingArgs(args), bare{xattrs: true}.strip(args), bare{xattrs: true, acls: true}.strip(args)}
		for i, want := range []string{c.reaching, c.noXattrs, c.neither} {
			if strings.Join(got[i], " ") != want {
				t.Errorf("%q, %d: got %q, want %q", c.args, i, got[i], want)
			}
		}
		if !slices.Equal(bare{}.strip(args), args) {
			t.Errorf("%q: something was left out for no reason", c.args)
		}
	}
}
