package replicate

import (
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
)

// Kind is the way rsync reaches a target.
type Kind uint8

const (
	Local  Kind = iota + 1 // a directory of this machine
	Shell                  // rsync started by ssh on the other machine
	Daemon                 // an rsync daemon
)

// Via is what the connection to an rsync daemon goes through.
type Via uint8

const (
	Plain Via = iota // nothing
	TLS              // to a daemon behind stunnel, or one that speaks TLS itself
	SSH              // a daemon for this one connection, started by ssh
)

// ErrTarget is wrapped by every error of ParseTarget.
var ErrTarget = errors.New("not a target")

// Target is where a remote lives. The zero value is no target.
type Target struct {
	Kind   Kind
	User   string // "" for none
	Host   string // without brackets
	Port   int    // Daemon only; 0 for the default: 873, with TLS 874, with SSH that of ssh
	Via    Via    // Daemon only
	Module string // Daemon only
	Path   string // directory; Daemon: below the module, "" for the module itself
}

// ParseTarget reads one of
//
//	[user@]host::module[/path]
//	rsync://[user@]host[:port]/module[/path]
//	rsyncs://[user@]host[:port]/module[/path]
//	rsync+ssh://[user@]host[:port]/module[/path]
//	[user@]host:/path
//	/local/path
//
// with IPv6 addresses in brackets. Everything else is an error that wraps
// ErrTarget and says what is wrong; in particular `host:` alone, which rsync
// takes for the remote home directory.
func ParseTarget(s string) (Target, error) {
	t, err := parseTarget(s)
	if err != nil {
		return Target{}, fmt.Errorf("%w: %q: %w", ErrTarget, s, err)
	}
	return t, nil
}

func parseTarget(s string) (Target, error) {
	switch {
	case s == "":
		return Target{}, errors.New("empty")
	case strings.ContainsAny(s, "\x00\n\r"):
		return Target{}, errors.New("control character")
	case strings.HasPrefix(s, "/"):
		return Target{Kind: Local, Path: path.Clean(s)}, nil
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok && strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz+") == "" {
		via, known := viaOf[strings.ToLower(scheme)]
		if !known {
			return Target{}, fmt.Errorf("%s:// is not a way to reach a target; write rsync://, rsyncs:// (TLS), rsync+ssh://, host::module, host:/path or /path", scheme)
		}
		t, err := parseURL(rest)
		t.Via = via
		return t, err
	}
	user, host, rest, err := splitHost(s)
	if err != nil {
		return Target{}, err
	}
	if mod, ok := strings.CutPrefix(rest, "::"); ok {
		return daemonTarget(user, host, 0, mod)
	}
	return shellTarget(user, host, strings.TrimPrefix(rest, ":"))
}

var viaOf = map[string]Via{"rsync": Plain, "rsyncs": TLS, "rsync+ssh": SSH}

func parseURL(s string) (Target, error) {
	auth, mod, _ := strings.Cut(s, "/")
	user, host, rest, err := splitHost(auth + ":")
	if err != nil {
		return Target{}, err
	}
	port := 0
	if p := strings.Trim(rest, ":"); p != "" {
		port, err = strconv.Atoi(p)
		if err != nil || port < 1 || port > 65535 || strconv.Itoa(port) != p {
			return Target{}, fmt.Errorf("port %q is not a number from 1 to 65535", p)
		}
	} else if rest != ":" {
		return Target{}, errors.New("empty port")
	}
	return daemonTarget(user, host, port, mod)
}

// splitHost cuts [user@]host off the front; rest starts with the colon.
func splitHost(s string) (user, host, rest string, err error) {
	colon := strings.IndexByte(s, ':')
	if slash := strings.IndexByte(s, '/'); colon < 0 || slash >= 0 && slash < colon {
		return "", "", "", errors.New("a local path must be absolute, a remote one needs host: or host::module")
	}
	if at := strings.LastIndexByte(s[:colon], '@'); at >= 0 {
		user, s = s[:at], s[at+1:]
		if user == "" {
			return "", "", "", errors.New("empty user")
		}
	} else if at := strings.Index(s, "@["); at >= 0 && !strings.ContainsAny(s[:at], "/[") {
		return "", "", "", errors.New("a password does not belong in a target; use password_file")
	}
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", "", errors.New("missing ]")
		}
		host, rest = s[1:end], s[end+1:]
		bare, _, _ := strings.Cut(host, "%")
		if !strings.Contains(host, ":") || net.ParseIP(bare) == nil {
			return "", "", "", fmt.Errorf("[%s] is not an IPv6 address", host)
		}
		if !strings.HasPrefix(rest, ":") {
			return "", "", "", errors.New("missing : after ]")
		}
	} else {
		host, rest, _ = strings.Cut(s, ":")
		rest = ":" + rest
	}
	return user, host, rest, checkHost(user, host)
}

// checkHost refuses what ssh or rsync could take for an option or for several
// words. Spaces, quotes and the like have no place in a host name.
func checkHost(user, host string) error {
	const bad = " \t'\"`$;&|<>()\\*?!#@/[]{}"
	switch {
	case host == "":
		return errors.New("empty host")
	case strings.HasPrefix(host, "-"), strings.HasPrefix(user, "-"):
		return errors.New("a host or user cannot start with -")
	case strings.ContainsAny(host, bad):
		return fmt.Errorf("host %q has a character that no host name has", host)
	case strings.ContainsAny(user, strings.ReplaceAll(bad, "@", "")):
		return fmt.Errorf("user %q has a character that no user name has", user)
	}
	return nil
}

func daemonTarget(user, host string, port int, mod string) (Target, error) {
	name, rest, _ := strings.Cut(mod, "/")
	if name == "" {
		return Target{}, errors.New("no module after the host (rsync HOST:: lists them)")
	}
	if strings.HasPrefix(name, "-") {
		return Target{}, errors.New("a module cannot start with -")
	}
	rest = strings.TrimPrefix(path.Clean("/"+rest), "/")
	return Target{Kind: Daemon, User: user, Host: host, Port: port, Module: name, Path: rest}, nil
}

func shellTarget(user, host, dir string) (Target, error) {
	switch {
	case dir == "":
		return Target{}, errors.New("no path after the host; write host:/path for ssh or host::module for a daemon")
	case !strings.HasPrefix(dir, "/"):
		return Target{}, errors.New("the path behind ssh must be absolute, as in host:/path")
	}
	return Target{Kind: Shell, User: user, Host: host, Path: path.Clean(dir)}, nil
}

// String returns the target in the form ParseTarget reads.
func (t Target) String() string {
	switch t.Kind {
	case Local:
		return t.Path
	case Shell:
		return t.login() + ":" + t.Path
	case Daemon:
		if t.Port == 0 && t.Via == Plain {
			return t.login() + "::" + t.modulePath()
		}
		port := ""
		if t.Port != 0 {
			port = ":" + strconv.Itoa(t.Port)
		}
		return schemes[t.Via] + "://" + t.login() + port + "/" + t.modulePath()
	}
	return ""
}

var schemes = [...]string{Plain: "rsync", TLS: "rsyncs", SSH: "rsync+ssh"}

// OverSSH tells whether ssh makes the connection.
func (t Target) OverSSH() bool { return t.Kind == Shell || t.Kind == Daemon && t.Via == SSH }

// address is the last rsync argument: the target with one trailing slash. What a
// connection goes through is said by -e.
func (t Target) address() string {
	if t.Via != Plain {
		t.Via, t.Port = Plain, 0
	}
	return strings.TrimRight(t.String(), "/") + "/"
}

func (t Target) login() string {
	h := t.Host
	if strings.Contains(h, ":") {
		h = "[" + h + "]"
	}
	if t.User != "" {
		return t.User + "@" + h
	}
	return h
}

func (t Target) modulePath() string {
	if t.Path == "" {
		return t.Module
	}
	return t.Module + "/" + t.Path
}
