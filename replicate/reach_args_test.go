package replicate

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestReachArgs: what leads to each kind of target, and what does not go with it.
func TestReachArgs(t *testing.T) {
	for target, want := range map[string]struct{ args, address string }{
		"u@h::m":                   {"--contimeout=10 --sockopts=TCP_NODELAY --password-file=/p", "u@h::m/"},
		"rsyncs://u@[::1]:8874/m":  {"-e '/opt/my programs/gorsyncd' tls-connect --ca-file='/it''s' -- --password-file=/p", "u@[::1]::m/"},
		"rsync+ssh://u@h:2222/m/d": {"-e ssh -o BatchMode=yes -o User=login -o ConnectTimeout=10 -o ServerAliveInterval=20 -o ServerAliveCountMax=3 -p 2222 --password-file=/p", "u@h::m/d/"},
		"u@h:/p":                   {"-e ssh -o BatchMode=yes -o User=login -o ConnectTimeout=10 -o ServerAliveInterval=20 -o ServerAliveCountMax=3 -p 22", "u@h:/p/"},
		"/p":                       {"", "/p/"},
	} {
		to, err := ParseTarget(target)
		if err != nil {
			t.Fatal(err)
		}
		o := &Options{Target: to, Rsync: RsyncOptions{Timeout: time.Minute, ConnectTimeout: 10 * time.Second, PasswordFile: "/p",
			Connect: []string{"/opt/my programs/gorsyncd", "tls-connect", "--ca-file=/it's", "--"},
			SSH:     SSHOptions{Port: 22, Options: []string{"User=login"}}}}
		// A word in quotes is one, whether or not the quotes are all around it.
		got := strings.ReplaceAll(strings.Join(o.reach(), " "), "'--ca-file=/it''s'", "--ca-file='/it''s'")
		if got != want.args || to.address() != want.address {
			t.Errorf("%s: %q %s\nwant %q %s", target, got, to.address(), want.args, want.address)
		}
	}
}

// TestRestricted: before rrsync stand only arguments that it knows, and no name that
// could be several words.
func TestRestricted(t *testing.T) {
	o := &Options{Target: Target{Kind: Shell, Host: "h", Path: "/"}, Rsync: RsyncOptions{Path: "rsync", SSH: SSHOptions{RRsync: true}}}
	big := o.argv(&Batch{Lane: LaneBig, Paths: []string{"a"}}, Send)
	for _, bad := range []string{"-s", "--modify-window=-1", "--partial-dir=" + partialDir} {
		if slices.Contains(big, bad) {
			t.Errorf("%s is in %q", bad, big)
		}
	}
	if !slices.Contains(big, "-M--modify-window=-1") || !slices.Contains(o.probeArgs(), "--no-s") {
		t.Errorf("%q", big)
	}
	for name, plain := range map[string]bool{
		"a/b-c_d.e,f+g@1": true, "中文/é": true, "a b": false, "a\u3000b": false, "$(id)": false, "a'b": false, "a\\b": false, "a\xffb": false, "a{b,c}": false, "~a": false,
	} {
		if got := o.reaches(&passage{from: name, to: "x"}); got != plain {
			t.Errorf("%q is linked: %v", name, got)
		}
		if got := (&Options{Target: Target{Kind: Shell, Host: "h", Path: "/"}}).reaches(&passage{from: name, to: "x"}); !got {
			t.Errorf("%q is not linked without rrsync", name)
		}
	}
}
