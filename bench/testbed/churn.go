package testbed

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// OddNames are names that have broken replicators: each is data, never an
// option, a pattern, a comment, a line or a command.
var OddNames = []string{
	"new\nline", "tab\there", "quo'te", `dou"ble`, "back`touch x`tick", "$(touch x)", "${HOME}",
	"st*r", "que?tion", "[bra]cket", "x]y", "-leading", "--delete", "# comment", "; semi", "semi;colon",
	`back\slash`, "trailing ", " leading", "~tilde", "per%cent", "a|b&c", "inv\xff\xfealid", "图片报表", ".hidden",
	"e\x1b[31msc", "4913", "file~", "!bang", "+ plus", "- minus", "a:b", "@at", strings.Repeat("n", 255),
}

// Churn changes a tree at random, reproducibly from its seed as long as nobody
// else changes the tree. Errors of single operations (a name that is gone by
// now) are part of the game and are ignored.
type Churn struct {
	Root string
	Seed uint64
	// Trace, if set, is told of each change and the paths it picked.
	Trace func(op string, paths []string)
	// Most is how many paths the tree may have before removals outweigh; 0 is
	// no limit.
	Most int

	r     *rand.Rand
	next  int
	paths []string // picked by the present step
}

// NewChurn returns a workload for root, which must exist.
func NewChurn(root string, seed uint64) *Churn {
	return &Churn{Root: root, Seed: seed, r: rand.New(rand.NewPCG(seed, 0x676f7273796e6364))}
}

// Steps makes n changes.
func (c *Churn) Steps(n int) {
	for range n {
		c.Step()
	}
}

// Step makes one change.
func (c *Churn) Step() {
	ops := c.ops()
	op := ops[c.r.IntN(len(ops))]
	if c.Most > 0 && c.next%50 == 0 && c.count() > c.Most {
		op = step{"removeAll", c.removeAll}
	}
	c.paths = c.paths[:0]
	op.do()
	if c.Trace != nil {
		c.Trace(op.name, c.paths)
	}
}

// step is a kind of change.
type step struct {
	name string
	do   func()
}

func (c *Churn) ops() []step {
	return []step{
		{"create", c.create}, {"create", c.create}, {"create", c.create}, {"create", c.create}, {"append", c.append},
		{"overwrite", c.overwrite}, {"overwrite", c.overwrite}, {"sameSize", c.sameSize}, {"sameSize", c.sameSize},
		{"editorSave", c.editorSave}, {"editorSave", c.editorSave}, {"remove", c.remove}, {"remove", c.remove},
		{"mkdir", c.mkdir}, {"mkdirDeep", c.mkdirDeep}, {"renameFile", c.renameFile}, {"renameFile", c.renameFile},
		{"renameDir", c.renameDir}, {"removeTree", c.removeTree}, {"symlink", c.symlink}, {"hardlink", c.hardlink},
		{"chmod", c.chmod}, {"touch", c.touch}, {"fifo", c.fifo}, {"sparse", c.sparse}, {"swapType", c.swapType},
		{"exchangeDirs", c.exchangeDirs}, {"truncate", c.truncate},
	}
}

// picked notes a path for Trace.
func (c *Churn) picked(path string) string {
	if c.Trace != nil && path != "" {
		rel, _ := filepath.Rel(c.Root, path) // both are absolute
		c.paths = append(c.paths, rel)
	}
	return path
}

// count is how many paths the tree has.
func (c *Churn) count() int {
	n := 0
	_ = filepath.WalkDir(c.Root, func(string, fs.DirEntry, error) error { n++; return nil }) // what vanishes does not count
	return n
}

// removeAll removes half of what is at the top.
func (c *Churn) removeAll() {
	entries, _ := os.ReadDir(c.Root) // an unreadable tree is left alone
	for _, e := range entries {
		if c.r.IntN(2) == 0 {
			_ = os.RemoveAll(c.picked(filepath.Join(c.Root, e.Name())))
		}
	}
}

func (c *Churn) name() string {
	c.next++
	name := fmt.Sprintf("f%d", c.r.IntN(200))
	if c.r.IntN(4) == 0 {
		name = OddNames[c.r.IntN(len(OddNames))]
	}
	if c.Trace != nil {
		c.paths = append(c.paths, name)
	}
	return name
}

// dir picks a directory by walking down at random.
func (c *Churn) dir() string {
	dir := c.Root
	for c.r.IntN(3) != 0 {
		subs := c.list(dir, true)
		if len(subs) == 0 {
			break
		}
		dir = subs[c.r.IntN(len(subs))]
	}
	return c.picked(dir)
}

// file picks an existing non-directory, or "".
func (c *Churn) file() string {
	for range 4 {
		if files := c.list(c.dir(), false); len(files) > 0 {
			return c.picked(files[c.r.IntN(len(files))])
		}
	}
	return ""
}

// list returns directories or other entries, sorted by name as ReadDir does,
// so that the same seed picks the same.
func (c *Churn) list(dir string, dirs bool) []string {
	entries, _ := os.ReadDir(dir) // gone by now: empty
	var out []string
	for _, e := range entries {
		if e.IsDir() == dirs {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}

func (c *Churn) data() []byte {
	n := c.r.IntN(2000)
	if c.r.IntN(20) == 0 {
		n = c.r.IntN(300_000)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + c.r.IntN(26))
	}
	return b
}

// writeFile is os.WriteFile that gives up on a fifo instead of waiting for a
// reader.
func writeFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NONBLOCK, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func (c *Churn) create() { _ = writeFile(filepath.Join(c.dir(), c.name()), c.data(), 0o644) }

func (c *Churn) regular() string {
	f := c.file()
	if st, err := os.Lstat(f); err != nil || !st.Mode().IsRegular() {
		return ""
	}
	return f
}

func (c *Churn) append() {
	f, err := os.OpenFile(c.regular(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.Write(c.data())
}

func (c *Churn) overwrite() {
	if f := c.regular(); f != "" {
		_ = writeFile(f, c.data(), 0o644)
	}
}

// sameSize rewrites a file twice in quick succession without changing its size.
func (c *Churn) sameSize() {
	f := c.regular()
	st, err := os.Lstat(f)
	if err != nil || st.Size() > 1<<20 {
		return
	}
	for range 2 {
		b := make([]byte, st.Size())
		for i := range b {
			b[i] = byte('A' + c.r.IntN(26))
		}
		h, err := os.OpenFile(f, os.O_WRONLY, 0)
		if err != nil {
			return
		}
		_, _ = h.WriteAt(b, 0)
		_ = h.Close()
	}
}

func (c *Churn) editorSave() {
	f := c.regular()
	if f == "" {
		f = filepath.Join(c.dir(), c.name())
	}
	tmp := filepath.Join(filepath.Dir(f), fmt.Sprintf(".%d.swp", c.next))
	if writeFile(tmp, c.data(), 0o600) == nil {
		_ = os.Rename(tmp, f)
	}
}

func (c *Churn) remove() {
	if f := c.file(); f != "" {
		_ = os.Remove(f)
	}
}

func (c *Churn) mkdir() { _ = os.Mkdir(filepath.Join(c.dir(), c.name()), 0o755) }

func (c *Churn) mkdirDeep() {
	d := filepath.Join(c.dir(), c.name(), c.name(), c.name())
	if os.MkdirAll(d, 0o755) == nil {
		_ = writeFile(filepath.Join(d, c.name()), c.data(), 0o644)
	}
}

func (c *Churn) renameFile() {
	if f := c.file(); f != "" {
		_ = os.Rename(f, filepath.Join(c.dir(), c.name()))
	}
}

func (c *Churn) renameDir() {
	if d := c.dir(); d != c.Root {
		_ = os.Rename(d, filepath.Join(c.dir(), c.name()))
	}
}

func (c *Churn) removeTree() {
	if d := c.dir(); d != c.Root && c.r.IntN(2) == 0 {
		_ = os.RemoveAll(d)
	}
}

func (c *Churn) symlink() { _ = os.Symlink(c.name(), filepath.Join(c.dir(), c.name())) }

func (c *Churn) hardlink() {
	if f := c.regular(); f != "" {
		_ = os.Link(f, filepath.Join(c.dir(), c.name()))
	}
}

func (c *Churn) chmod() {
	modes := []os.FileMode{0o600, 0o644, 0o755, 0o640, 0o444}
	if f := c.regular(); f != "" {
		_ = os.Chmod(f, modes[c.r.IntN(len(modes))])
	}
}

func (c *Churn) touch() {
	t := time.Unix(1_000_000_000+int64(c.r.IntN(500_000_000)), int64(c.r.IntN(1_000_000_000)))
	if f := c.regular(); f != "" {
		_ = os.Chtimes(f, t, t)
	}
}

func (c *Churn) fifo() { _ = syscall.Mkfifo(filepath.Join(c.dir(), c.name()), 0o644) }

func (c *Churn) sparse() {
	f, err := os.OpenFile(filepath.Join(c.dir(), "sparse"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteAt([]byte("end"), 1<<20)
}

// swapType turns a file into a directory of the same name or back.
func (c *Churn) swapType() {
	if f := c.file(); f != "" && c.r.IntN(2) == 0 {
		if os.Remove(f) == nil && os.Mkdir(f, 0o755) == nil {
			_ = writeFile(filepath.Join(f, "inside"), c.data(), 0o644)
		}
		return
	}
	if d := c.dir(); d != c.Root && os.RemoveAll(d) == nil {
		_ = writeFile(d, c.data(), 0o644)
	}
}

// exchangeDirs swaps the names of two directories.
func (c *Churn) exchangeDirs() {
	a, b := c.dir(), c.dir()
	if a == c.Root || b == c.Root || a == b {
		return
	}
	tmp := filepath.Join(c.Root, fmt.Sprintf("swap%d", c.next))
	if os.Rename(a, tmp) == nil {
		_ = os.Rename(b, a)
		_ = os.Rename(tmp, b)
	}
}

func (c *Churn) truncate() {
	if f := c.regular(); f != "" {
		_ = os.Truncate(f, int64(c.r.IntN(1000)))
	}
}
