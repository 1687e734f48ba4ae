package replicate

import (
	"strings"
)

// aspects are the properties of a copy that a probe can look at.
type aspects struct {
	owners, modes, times, symlinks, xattrs, acls bool
	version, removals                            bool
}

func (a *aspects) each() []struct {
	id string
	on *bool
} {
	return []struct {
		id string
		on *bool
	}{
		{"W-OWNERS", &a.owners}, {"W-MODES", &a.modes}, {"W-TIMES", &a.times}, {"W-SYMLINKS", &a.symlinks},
		{"W-XATTRS", &a.xattrs}, {"W-ACLS", &a.acls}, {idOld, &a.version}, {idAborts, &a.removals},
	}
}

// has tells whether a finding is about one of the aspects.
func (a aspects) has(id string) bool {
	for _, x := range a.each() {
		if x.id == id {
			return *x.on
		}
	}
	return false
}

// String names the aspects, for the question that is stored with an answer.
func (a aspects) String() string {
	var ids []string
	for _, x := range a.each() {
		if *x.on {
			ids = append(ids, x.id)
		}
	}
	return strings.Join(ids, " ")
}

// aspectsOf is what the user's arguments promise that a copy keeps. Only as
// root can a file be given away, and only then does rsync compare owners.
func aspectsOf(args []string, root bool) aspects {
	a := aspects{owners: root, modes: true, times: true, symlinks: true, version: true, removals: true}
	for _, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		if !strings.HasPrefix(arg, "--") {
			for _, c := range arg[1:] {
				if strings.ContainsRune(shortWithValue, c) {
					break
				}
				a.acls = a.acls || c == 'A'
				a.xattrs = a.xattrs || c == 'X'
			}
			continue
		}
		switch name {
		case "--acls":
			a.acls = true
		case "--xattrs":
			a.xattrs = true
		case "--no-acls", "--no-A":
			a.acls = false
		case "--no-xattrs", "--no-X":
			a.xattrs = false
		case "--chown", "--usermap", "--groupmap", "--no-o", "--no-g", "--no-owner", "--no-group":
			a.owners = false
		case "--chmod", "--no-p", "--no-perms":
			a.modes = false
		case "--safe-links", "--munge-links":
			a.symlinks = false
		}
	}
	return a
}

// reachingArgs are those of the user's arguments that have to do with how the
// remote is reached and what it is told to keep: the others are for real files.
func reachingArgs(args []string) []string {
	var out []string
	for _, arg := range args {
		if !strings.HasPrefix(arg, "--") {
			if s := reachingShort(arg); s != "-" {
				out = append(out, s)
			}
			continue
		}
		switch name, _, _ := strings.Cut(arg, "="); name {
		case "--acls", "--xattrs", "--no-acls", "--no-A", "--no-xattrs", "--no-X",
			"--ipv4", "--ipv6", "--address", "--sockopts", "--rsync-path", "--remote-option", "--protocol",
			"--blocking-io", "--outbuf", "--early-input", "--iconv":
			out = append(out, arg)
		}
	}
	return out
}

func reachingShort(arg string) string {
	out := "-"
	for i, c := range arg[1:] {
		switch {
		case c == 'M':
			return out + arg[1+i:]
		case strings.ContainsRune(shortWithValue, c):
			return out
		case strings.ContainsRune("AX46", c):
			out += string(c)
		}
	}
	return out
}
