package notify

import (
	"path"
	"strings"
)

// Match tells whether a pattern means a remote: its full name, its source, its own
// name, or a glob, as on the command line.
func Match(pattern, name string) bool {
	if ok, _ := path.Match(pattern, name); ok {
		return true
	}
	if strings.Contains(pattern, "/") {
		return false
	}
	source, remote, _ := strings.Cut(name, "/")
	inSource, _ := path.Match(pattern, source)
	alone, _ := path.Match(pattern, remote)
	return inSource || alone
}
