package testbed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Node is all that replication must keep of one path.
type Node struct {
	Type     string // file, dir, symlink, fifo, socket, char, block
	Mode     uint32 // 12 bits; 0 for symlinks, which have none
	UID, GID uint32
	Size     int64 // files
	Mtime    int64 // ns
	Rdev     uint64
	Sum      string // files: SHA-256
	Link     string // symlinks: target
	LinkSet  string // what has several names in this tree: the first of them
	Xattrs   string
}

// Options of Snapshot.
type Options struct {
	Xattrs bool
	Skip   func(path string) bool // leaves out a path with all below it
	// Blur clears what is not to be compared of a path; nil compares everything.
	Blur func(path string, n *Node)
}

// Snapshot walks a tree, the root included as ".".
func Snapshot(root string, o Options) (map[string]Node, error) {
	nodes := map[string]Node{}
	links := map[[2]uint64][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if o.Skip != nil && rel != "." && o.Skip(rel) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		n, err := readNode(path, rel, links, o)
		if err != nil {
			return err
		}
		if o.Blur != nil {
			o.Blur(rel, &n)
		}
		nodes[rel] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk %s: %w", root, err)
	}
	for _, names := range links {
		if len(names) < 2 {
			continue // its other names are outside of the tree
		}
		for _, name := range names {
			n := nodes[name]
			n.LinkSet = names[0]
			nodes[name] = n
		}
	}
	return nodes, nil
}

func readNode(path, rel string, links map[[2]uint64][]string, o Options) (Node, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return Node{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	n := Node{Mode: uint32(st.Mode) & 0o7777, UID: st.Uid, GID: st.Gid, Mtime: st.Mtim.Nano()}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		n.Type, n.Size = "file", st.Size
		if n.Sum, err = fileSum(path); err != nil {
			return Node{}, err
		}
	case unix.S_IFDIR:
		n.Type = "dir"
	case unix.S_IFLNK:
		n.Type, n.Mode = "symlink", 0
		if n.Link, err = os.Readlink(path); err != nil {
			return Node{}, err
		}
	case unix.S_IFIFO:
		n.Type = "fifo"
	case unix.S_IFSOCK:
		n.Type = "socket"
	case unix.S_IFCHR:
		n.Type, n.Rdev = "char", st.Rdev
	case unix.S_IFBLK:
		n.Type, n.Rdev = "block", st.Rdev
	}
	if n.Type != "dir" && st.Nlink > 1 {
		key := [2]uint64{st.Dev, st.Ino}
		links[key] = append(links[key], rel)
	}
	if o.Xattrs && n.Type != "symlink" {
		if n.Xattrs, err = readXattrs(path); err != nil {
			return Node{}, err
		}
	}
	return n, nil
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func readXattrs(path string) (string, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		return "", &fs.PathError{Op: "listxattr", Path: path, Err: err}
	}
	var out []string
	for _, name := range bytes.Split(buf[:n], []byte{0}) {
		if len(name) == 0 {
			continue
		}
		val := make([]byte, 64<<10)
		m, err := unix.Lgetxattr(path, string(name), val)
		if err != nil {
			return "", &fs.PathError{Op: "getxattr", Path: path, Err: err}
		}
		out = append(out, fmt.Sprintf("%s=%x", name, val[:m]))
	}
	slices.Sort(out)
	return strings.Join(out, ","), nil
}

// Diff lists what differs between two snapshots, by path, each with the fields
// of both sides.
func Diff(want, got map[string]Node) []string {
	var out []string
	for path, w := range want {
		g, ok := got[path]
		switch {
		case !ok:
			out = append(out, fmt.Sprintf("%q is missing (a %s)", path, w.Type))
		case g != w:
			out = append(out, fmt.Sprintf("%q differs: want %+v, got %+v", path, w, g))
		}
	}
	for path, g := range got {
		if _, ok := want[path]; !ok {
			out = append(out, fmt.Sprintf("%q is extra (a %s)", path, g.Type))
		}
	}
	sort.Strings(out)
	return out
}

// DiffTrees is Diff of two fresh snapshots. A tree that changes or vanishes
// while it is read is an error.
func DiffTrees(want, got string, o Options) ([]string, error) {
	w, err := Snapshot(want, o)
	if err != nil {
		return nil, err
	}
	g, err := Snapshot(got, o)
	if err != nil {
		return nil, err
	}
	return Diff(w, g), nil
}

// WaitEqual fails the test unless the trees become equal within the limit.
// Nothing may be writing to want meanwhile.
func WaitEqual(tb testing.TB, want, got string, limit time.Duration, opts ...Options) {
	tb.Helper()
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	deadline := time.Now().Add(limit)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		diff, err := DiffTrees(want, got, o)
		if err == nil && len(diff) == 0 {
			return
		}
		if time.Now().After(deadline) {
			if len(diff) > 20 {
				diff = append(diff[:20], fmt.Sprintf("… and %d more", len(diff)-20))
			}
			tb.Fatalf("%s is not equal to %s after %s (%v):\n%s", got, want, limit, err, strings.Join(diff, "\n"))
		}
		time.Sleep(wait)
	}
}
