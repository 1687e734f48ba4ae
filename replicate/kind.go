package replicate

import (
	"regexp"
	"strings"
)

// DiffKind is one way in which a path of a remote differs from the source.
type DiffKind string

const (
	DiffMissing    DiffKind = "missing"     // not there, or something of another type is
	DiffInTheWay   DiffKind = "in_the_way"  // a directory stands where something else is to be
	DiffContent    DiffKind = "content"     // found with contents compared only
	DiffSize       DiffKind = "size"        // of a file
	DiffTime       DiffKind = "time"        // of modification
	DiffMode       DiffKind = "mode"        // permissions
	DiffOwner      DiffKind = "owner"       // user or group
	DiffLinkTarget DiffKind = "link_target" // of a symlink
	DiffDevice     DiffKind = "device"      // numbers of a device
	DiffXattr      DiffKind = "xattr"       // extended attributes or ACLs, if they are replicated
	DiffHardLink   DiffKind = "hard_link"   // not the same file as another name of it
	DiffExtra      DiffKind = "extra"       // the source has nothing there: a difference with DeleteAll
	DiffLeftover   DiffKind = "leftover"    // of an rsync that was cut: a difference with DeleteAll
	DiffStranger   DiffKind = "stranger"    // the source has nothing there, and it may stay
)

// pureLink is how rsync itemizes a name that is equal in all but being another
// file: the eleven characters without the spaces that stand for no change.
const pureLink = "hf"

// kinds reads the codes of an itemized line: YXcstpoguax.
func (c Change) kinds() []DiffKind {
	switch {
	case c.Delete:
		return []DiffKind{DiffExtra}
	case c.Item == "cannot":
		return []DiffKind{DiffInTheWay}
	case c.Item == pureLink:
		return []DiffKind{DiffHardLink}
	case strings.HasSuffix(c.Item, "+++++++"):
		return []DiffKind{DiffMissing}
	}
	var out []DiffKind
	add := func(k DiffKind) {
		if len(out) == 0 || out[len(out)-1] != k {
			out = append(out, k)
		}
	}
	for i, code := range []byte(c.Item) {
		if i < 2 || code == '.' || code == ' ' {
			continue
		}
		switch i {
		case 2:
			add(map[byte]DiffKind{'f': DiffContent, 'L': DiffLinkTarget}[c.Item[1]])
			if out[len(out)-1] == "" {
				out[len(out)-1] = DiffDevice
			}
		case 3:
			add(DiffSize)
		case 4, 8:
			add(DiffTime)
		case 5:
			add(DiffMode)
		case 6, 7:
			add(DiffOwner)
		default:
			add(DiffXattr)
		}
	}
	return out
}

// tempName is the name of rsync's temporary file for NAME: .NAME.XXXXXX, or
// .NAME.PID for what has no content, and for hard links (get_tmpname in
// receiver.c). A name that somebody else chose may look like it.
var tempName = regexp.MustCompile(`(?s)^\.(.+)\.([A-Za-z0-9]{6}|[1-9][0-9]{1,5})$`)

// isLeftover tells whether what only the remote has looks like what an rsync
// left behind when it was cut.
func isLeftover(path string, dir bool) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	if dir {
		return base == partialDir
	}
	m := tempName.FindStringSubmatch(base)
	return m != nil && len(m[2]) == 6 // the others look like too much else
}
