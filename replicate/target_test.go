package replicate

import (
	"errors"
	"testing"
)

func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Target
		str  string
	}{
		{"host::www", Target{Kind: Daemon, Host: "host", Module: "www"}, "host::www"},
		{"u@192.168.1.2::www/a/b/", Target{Kind: Daemon, User: "u", Host: "192.168.1.2", Module: "www", Path: "a/b"}, "u@192.168.1.2::www/a/b"},
		{"rsync://h/m", Target{Kind: Daemon, Host: "h", Module: "m"}, "h::m"},
		{"rsync://u@h:1873/m/x", Target{Kind: Daemon, User: "u", Host: "h", Port: 1873, Module: "m", Path: "x"}, "rsync://u@h:1873/m/x"},
		{"rsync://[::1]:1873/m/", Target{Kind: Daemon, Host: "::1", Port: 1873, Module: "m"}, "rsync://[::1]:1873/m"},
		{"[fe80::1%eth0]::m", Target{Kind: Daemon, Host: "fe80::1%eth0", Module: "m"}, "[fe80::1%eth0]::m"},
		{"rsyncs://h/m", Target{Kind: Daemon, Via: TLS, Host: "h", Module: "m"}, "rsyncs://h/m"},
		{"RSYNCS://u@[::1]:8874/m/x/", Target{Kind: Daemon, Via: TLS, User: "u", Host: "::1", Port: 8874, Module: "m", Path: "x"}, "rsyncs://u@[::1]:8874/m/x"},
		{"rsync+ssh://u@h:2222/m", Target{Kind: Daemon, Via: SSH, User: "u", Host: "h", Port: 2222, Module: "m"}, "rsync+ssh://u@h:2222/m"},
		{"u@[2001:db8::2]:/srv", Target{Kind: Shell, User: "u", Host: "2001:db8::2", Path: "/srv"}, "u@[2001:db8::2]:/srv"},
		{"web2.example.com:/data0/www", Target{Kind: Shell, Host: "web2.example.com", Path: "/data0/www"}, "web2.example.com:/data0/www"},
		{"h:/a b/c:d", Target{Kind: Shell, Host: "h", Path: "/a b/c:d"}, "h:/a b/c:d"},
		{"/srv/copy//x/", Target{Kind: Local, Path: "/srv/copy/x"}, "/srv/copy/x"},
		{"/a:b::c", Target{Kind: Local, Path: "/a:b::c"}, "/a:b::c"},
		{"me@corp@h:/p", Target{Kind: Shell, User: "me@corp", Host: "h", Path: "/p"}, "me@corp@h:/p"},
	} {
		got, err := ParseTarget(c.in)
		if err != nil || got != c.want {
			t.Errorf("ParseTarget(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
			continue
		}
		if got.String() != c.str {
			t.Errorf("%q: String() = %q, want %q", c.in, got.String(), c.str)
		}
	}
}

func TestParseTargetErrors(t *testing.T) {
	for _, in := range []string{
		"", "host:", "host", "relative/path", "./x", "host:path", "host:~/x", "host::", "host::/x", "::m", ":/p", "@h:/p",
		"-oProxyCommand=x:/p", "-u@h:/p", "h h:/p", "rsync://h", "rsync://h/", "rsync://h:0/m", "rsync://h:x/m",
		"rsync://h:70000/m", "rsync:///m", "[::1:/p", "[::1]/p", "[x]:/p", "rsync://u:pw@h/m", "h\x00:/p", "h:/p\n",
		"h::-m", "$(id):/p", "rsync://h:/m", "http://h/m", "ssh://u@h/p", "rsyncs://h", "rsync+ssh://h:0/m", "rsync+ssh:///m", "rsyncs://u:pw@h/m", "rsync+tls://h/m",
	} {
		if got, err := ParseTarget(in); !errors.Is(err, ErrTarget) {
			t.Errorf("ParseTarget(%q) = %+v, %v; want ErrTarget", in, got, err)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"h::m/p", "rsync://u@[::1]:1/m", "rsyncs://h/m", "rsync+ssh://u@h:2/m", "u@h:/p", "/l/p", "host:", "[::1]::m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseTarget(s)
		if err != nil {
			return
		}
		b, err := ParseTarget(a.String())
		if err != nil || a != b {
			t.Fatalf("%q → %+v → %q → %+v, %v", s, a, a.String(), b, err)
		}
		if addr := a.address(); addr[0] == '-' {
			t.Fatalf("%q: address %q looks like an option", s, addr)
		}
	})
}
