package replicate

import (
	"context"
	"regexp"
	"strconv"
	"strings"
)

// safeVersion is the first version of rsync without the faults that were found
// up to then. 3.4.3 is one with faults of its own.
var safeVersion = [3]int{3, 4, 4}

// askVersion is an option that no rsync has. A remote that is started with it
// does nothing but complain, and says its version: there is no other way to
// learn it, and protocol numbers do not tell (distributions backport them).
const askVersion = "--gorsyncd-asks-for-the-version"

var toldVersion = regexp.MustCompile(`\[(?:server|[Rr]eceiver|generator)=v?([0-9][^\]]*)\]`)

// remoteVersion reads it from what came to stderr of a run that sends; "" when
// it is not there.
func remoteVersion(stderr string) string {
	if m := toldVersion.FindStringSubmatch(stderr); m != nil {
		return m[1]
	}
	return ""
}

// localVersion is what rsync calls itself, such as "3.4.1"; "" when it does not
// say.
func localVersion(ctx context.Context, path string) string {
	var first string
	out := &lines{fn: func(s string) {
		if first == "" {
			first = s
		}
	}}
	process{argv: []string{path, "--version"}, env: rsyncEnv(), stdout: out}.run(ctx)
	f := strings.Fields(first)
	if len(f) < 3 || f[0] != "rsync" || f[1] != "version" {
		return ""
	}
	return strings.TrimPrefix(f[2], "v")
}

// oldVersion tells whether a version is one to warn of. What cannot be read is
// none.
func oldVersion(v string) bool {
	var num [3]int
	parts := strings.SplitN(v, ".", 3)
	if len(parts) < 3 {
		return false
	}
	for i, p := range parts {
		digits := p[:len(p)-len(strings.TrimLeft(p, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil {
			return false
		}
		num[i] = n
	}
	for i := range num {
		if num[i] != safeVersion[i] {
			return num[i] < safeVersion[i]
		}
	}
	return strings.Contains(parts[2], "pre")
}

// oldRsync says which side has an rsync to warn of, "" for none. Versions that
// are not known are "".
func oldRsync(local, remote string) string {
	var old []string
	if oldVersion(local) {
		old = append(old, "rsync "+local+" on this side")
	}
	if oldVersion(remote) {
		old = append(old, "rsync "+remote+" on the remote")
	}
	return strings.Join(old, ", ")
}
