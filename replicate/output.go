package replicate

import (
	"bytes"
	"strconv"
	"strings"
)

// Change is one itemized line of rsync (--out-format='%i|%n').
type Change struct {
	Item   string // rsync's codes, such as ">f+++++++++" or "*deleting"
	Path   string // without the trailing slash of directories; "" is the root
	Delete bool
	Dir    bool
}

// parseChange reads an itemized line. Lines of other kinds are none.
func parseChange(line string) (Change, bool) {
	item, name, ok := strings.Cut(line, "|")
	if !ok || name == "" {
		return Change{}, false
	}
	c := Change{Item: strings.TrimRight(item, " "), Delete: strings.HasPrefix(item, "*deleting")}
	if !c.Delete && (len(item) != 11 || strings.IndexByte("<>ch.", item[0]) < 0 || strings.IndexByte("fdLDS", item[1]) < 0) {
		return Change{}, false
	}
	c.Dir = strings.HasSuffix(name, "/")
	c.Path = strings.TrimSuffix(unescape(name), "/")
	if c.Path == "." || c.Path == "./" {
		c.Path = ""
	}
	c.Path = strings.TrimPrefix(c.Path, "./")
	return c, true
}

// dirtiesRoot tells whether a change makes an entry of the root come or go;
// rsync replaces files by renaming.
func (c Change) dirtiesRoot() bool {
	return c.Path != "" && !strings.Contains(c.Path, "/") && (c.Delete || c.Item[0] != '.')
}

// wants tells whether a line of a Send matters: it may show that rsync found
// something which the journal takes for gone. Should that vanish before it is
// observed, no entry would tell the remote.
func (b *Batch) wants(c Change) bool {
	if b.Lane == LaneReconcile {
		return !c.Delete && strings.HasSuffix(c.Item, "+++++++")
	}
	return b.Removes && !c.Delete
}

// unescape undoes rsync's \#ooo (three octal digits), its form of control
// characters and of a backslash that would otherwise read as one.
func unescape(s string) string {
	if !strings.Contains(s, `\#`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+5 <= len(s) && s[i+1] == '#' {
			if n, err := strconv.ParseUint(s[i+2:i+5], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 4
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// totals is what rsync counts itself (--stats --no-human-readable).
type totals struct {
	sent, received int64  // bytes on the wire
	files          uint64 // regular files whose content was sent
	size           int64  // of those
	deleted        uint64
	listed         uint64 // what is no directory: those are listed twice by a reconcile
	stubborn       bool   // a directory stayed although it was to be deleted
}

// stubbornText is what rsync prints, with the path behind it, when a directory
// was to be deleted and has something in it.
const stubbornText = "cannot delete non-empty directory"

// read takes in one line of rsync's output that is no itemized line.
func (t *totals) read(line string) {
	if strings.HasPrefix(line, stubbornText) {
		// rsync says so and still exits 0.
		t.stubborn = true
		return
	}
	key, val, ok := strings.Cut(line, ": ")
	if !ok {
		return
	}
	if key == "Number of files" {
		t.listed = countNonDirs(val)
		return
	}
	word, _, _ := strings.Cut(val, " ")
	n, err := strconv.ParseInt(strings.ReplaceAll(word, ",", ""), 10, 64)
	if err != nil || n < 0 {
		return
	}
	switch key {
	case "Total bytes sent":
		t.sent = n
	case "Total bytes received":
		t.received = n
	case "Total transferred file size":
		t.size = n
	case "Number of regular files transferred":
		t.files = uint64(n)
	case "Number of deleted files":
		t.deleted = uint64(n)
	}
}

// countNonDirs reads "13 (reg: 5, dir: 8)".
func countNonDirs(val string) uint64 {
	all, kinds, _ := strings.Cut(val, " ")
	n, err := strconv.ParseUint(all, 10, 64)
	if err != nil {
		return 0
	}
	if _, dirs, ok := strings.Cut(kinds, "dir: "); ok {
		d, err := strconv.ParseUint(strings.TrimRight(strings.SplitN(dirs, ",", 2)[0], ")"), 10, 64)
		if err == nil {
			n -= min(n, d)
		}
	}
	return n
}

// lines is an io.Writer that calls fn for each line. A line over the limit is
// dropped: no name makes one, escaped or not.
type lines struct {
	fn   func(string)
	buf  []byte
	skip bool
}

const maxLine = 64 << 10

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		head, tail, found := bytes.Cut(p, []byte{'\n'})
		if !l.skip {
			l.buf = append(l.buf, head...)
		}
		if len(l.buf) > maxLine {
			l.buf, l.skip = l.buf[:0], true
		}
		if !found {
			break
		}
		if !l.skip {
			l.fn(string(l.buf))
		}
		l.buf, l.skip, p = l.buf[:0], false, tail
	}
	return n, nil
}

// capture is an io.Writer that keeps the beginning and the end of what is
// written: the first complaint tells most, the last line has the verdict.
type capture struct {
	head, tail []byte
	cut        bool
}

const captureHalf = 16 << 10

func (c *capture) Write(p []byte) (int, error) {
	n := len(p)
	if room := captureHalf - len(c.head); room > 0 {
		k := min(room, len(p))
		c.head, p = append(c.head, p[:k]...), p[k:]
	}
	c.tail = append(c.tail, p...)
	if over := len(c.tail) - captureHalf; over > 0 {
		c.tail = append(c.tail[:0], c.tail[over:]...)
		c.cut = true
	}
	return n, nil
}

func (c *capture) String() string {
	if c.cut {
		return string(c.head) + "\n…\n" + string(c.tail)
	}
	return string(c.head) + string(c.tail)
}
