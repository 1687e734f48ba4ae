package replicate

import (
	"os"
	"path/filepath"
	"strings"
)

// rsync reads a list from stdin byte by byte, with two system calls for each
// (3.5.0, safe_read in io.c): of a run of 1,000 small files that is most of what
// the sender costs. Names as arguments cost nothing, but everybody on the machine
// can read the arguments of a process. So a long list becomes arguments where
// everybody can list the names anyway.
const (
	minArgList = 1 << 10   // bytes; a shorter list is not worth it
	maxArgList = 1 << 20   // half of what Linux allows with the usual limit of the stack
	maxNames   = 768 << 10 // of the names of one batch, so that its list is within that
)

// byArgs tells whether the names of a batch may be arguments.
func (o *Options) byArgs(b *Batch, list []byte) bool {
	if b.Lane != LaneList && b.Lane != LaneTop || len(list) < o.argsFrom || len(list) > maxArgList {
		return false
	}
	p, root := publicDirs{}, o.Root
	for dir := filepath.Dir(root); ; dir = filepath.Dir(dir) {
		if !p.mode(dir, 0o001) {
			return false
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for _, path := range b.Paths {
		if !p.listable(root, path) {
			return false
		}
	}
	for _, path := range b.Parents {
		if !p.listable(root, path) {
			return false
		}
	}
	return true
}

// publicDirs remembers which directories everybody may list.
type publicDirs map[string]bool

// listable tells whether everybody may read a name and those of all directories
// above it, up to the root. An ACL that takes rights away from single users is
// not looked at.
func (p publicDirs) listable(root, path string) bool {
	dir, ok := parentOf(path)
	if !ok {
		return true
	}
	known, seen := p[dir]
	if !seen {
		known = p.mode(root+"/"+dir, 0o005) && p.listable(root, dir)
		p[dir] = known
	}
	return known
}

func (p publicDirs) mode(dir string, bits os.FileMode) bool {
	fi, err := os.Lstat(dir)
	return err == nil && fi.IsDir() && fi.Mode().Perm()&bits == bits
}

// argsOf are the names of a list.
func argsOf(list []byte) []string {
	return strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00")
}
