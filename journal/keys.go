package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// The first byte of every key; see the package documentation.
const (
	kindMeta   = 'm'
	kindEntry  = 'e'
	kindIndex  = 'i'
	kindInode  = 'n'
	kindCursor = 'c'
	kindRetry  = 'r'
	kindFull   = 'f'
	kindState  = 's'
	kindPin    = 't'
)

// maxPath is PATH_MAX of Linux: nothing longer can be opened by name.
const maxPath = 4096

var (
	formatKey    = []byte("mformat")
	rootKey      = []byte("mroot")
	sourcePrefix = []byte("msource\x00")
)

// validName tells whether s can name a source or a remote.
func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// checkPath refuses what is no path relative to a source root.
func checkPath(p string) error {
	if p == "" {
		return nil
	}
	if len(p) > maxPath || strings.IndexByte(p, 0) >= 0 {
		return fmt.Errorf("invalid path %.100q", p)
	}
	for rest, more := p, true; more; {
		var elem string
		elem, rest, more = strings.Cut(rest, "/")
		if elem == "" || elem == "." || elem == ".." {
			return fmt.Errorf("invalid path %.100q", p)
		}
	}
	return nil
}

// parent returns the directory that holds p, which must not be the root.
func parent(p string) string {
	i := strings.LastIndexByte(p, '/')
	return p[:max(i, 0)]
}

// within tells whether p is dir or below it.
func within(dir, p string) bool {
	return dir == "" || p == dir || len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir
}

// prefix is the common start of all keys of one kind and source.
func prefix(kind byte, src string) []byte {
	k := make([]byte, 0, len(src)+2)
	k = append(k, kind)
	k = append(k, src...)
	return append(k, 0)
}

func appendPath(k []byte, p string) []byte {
	n := len(k)
	k = append(k, p...)
	for i := n; i < len(k); i++ {
		if k[i] == '/' {
			k[i] = 0
		}
	}
	return k
}

// pathOf undoes appendPath.
func pathOf(b []byte) string {
	if bytes.IndexByte(b, 0) < 0 {
		return string(b)
	}
	return strings.ReplaceAll(string(b), "\x00", "/")
}

func sourceKey(src string) []byte { return append(bytes.Clone(sourcePrefix), src...) }

func entryKey(src string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(prefix(kindEntry, src), seq)
}

func seqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

func indexKey(src, p string) []byte { return appendPath(prefix(kindIndex, src), p) }
func pinKey(src, p string) []byte   { return appendPath(prefix(kindPin, src), p) }

// belowKey is the start of the keys of everything below directory p.
func belowKey(src, p string) []byte {
	k := indexKey(src, p)
	if p != "" {
		k = append(k, 0)
	}
	return k
}

func inodePrefix(src string, dev, ino uint64) []byte {
	k := binary.BigEndian.AppendUint64(prefix(kindInode, src), dev)
	return binary.BigEndian.AppendUint64(k, ino)
}

func inodeKey(src string, dev, ino uint64, p string) []byte {
	return appendPath(inodePrefix(src, dev, ino), p)
}

// remoteKey serves cursors, full syncs and states.
func remoteKey(kind byte, src, remote string) []byte {
	return append(prefix(kind, src), remote...)
}

func retryPrefix(src, remote string) []byte {
	return append(remoteKey(kindRetry, src, remote), 0)
}

func retryKey(src, remote, p string) []byte {
	return appendPath(retryPrefix(src, remote), p)
}

// describe names the record of a key for an error message.
func describe(key []byte) string {
	if bytes.Equal(key, formatKey) {
		return "the format record"
	}
	if bytes.Equal(key, rootKey) {
		return "the root record"
	}
	if s, ok := bytes.CutPrefix(key, sourcePrefix); ok {
		return fmt.Sprintf("the header of source %s", s)
	}
	names := map[byte]string{kindEntry: "entry", kindIndex: "index record", kindInode: "inode key",
		kindCursor: "cursor", kindRetry: "retry record", kindFull: "full sync", kindState: "remote state", kindPin: "kept tombstone"}
	if len(key) == 0 || names[key[0]] == "" {
		return fmt.Sprintf("unknown key %.100q", key)
	}
	src, rest, _ := bytes.Cut(key[1:], []byte{0})
	what := fmt.Sprintf("%.200q", pathOf(rest))
	if key[0] == kindEntry && len(rest) == 8 {
		what = fmt.Sprint(seqOf(key))
	}
	return fmt.Sprintf("%s %s of source %s", names[key[0]], what, src)
}
