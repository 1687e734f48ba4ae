package replicate

import (
	"slices"
	"strings"
)

// idAborts is the finding of a receiver that gives up on --delete-missing-args.
const idAborts = "W-RSYNC-343"

// Some receivers abort a run with any path that is to be removed because it is
// missing here: rsync 3.4.3, and older ones to which distributions have added
// the same check (Debian's 3.2.7-1+deb12u6). For them removals are made as
// deletions in a listed directory, with a filter that protects everything else.

// gentleRun is the run that removes the missing paths of a batch.
type gentleRun struct {
	list  []byte
	root  bool     // the root is listed, and nothing else: naming it needs other arguments
	rules []string // rsync filter rules; the first that matches wins
	bytes int      // of them
	// removed are the paths, to tell the deletions that matter from those of
	// directories above them, which may have something in them that stays.
	removed map[string]bool
	tooLong []string // what no rule can name
}

// maxRule is the longest pattern: rsync drops a longer one without an error.
const maxRule = 4000

// maxRules bounds the rules of one run, which are arguments: an rsync opens no
// merge file without a name, such as memory.
const maxRules = 256 << 10

// gentleRuns makes the runs for some paths. anchor tells the nearest directory
// above a path that is there.
func gentleRuns(paths []string, anchor func(path string) string) []*gentleRun {
	var top, below []string
	for _, path := range paths {
		if anchor(path) == "" {
			top = append(top, path)
		} else {
			below = append(below, path)
		}
	}
	return append(takeAll(top, anchor, true), takeAll(below, anchor, false)...)
}

func takeAll(paths []string, anchor func(path string) string, root bool) []*gentleRun {
	var runs []*gentleRun
	for len(paths) > 0 {
		r := &gentleRun{removed: map[string]bool{}, root: root}
		paths = r.take(paths, anchor)
		runs = append(runs, r)
	}
	return runs
}

// take adds paths while there is room and returns the others.
func (r *gentleRun) take(paths []string, anchor func(path string) string) (left []string) {
	listed := map[string]bool{}
	for i, path := range paths {
		if r.bytes > maxRules {
			left = paths[i:]
			break
		}
		top := anchor(path)
		if len(wild(path)) > maxRule {
			r.tooLong = append(r.tooLong, path)
			continue
		}
		if !listed[top] {
			listed[top] = true
			r.list = append(r.list, "./"+slashed(top)+"\x00"...)
			if top != "" {
				r.rule("S /" + pattern(top) + "/") // the protection of all hides it, too
			}
		}
		// Directories in between are gone here as well. They may go when nothing
		// is left in them.
		for dir, _ := parentOf(path); dir != top; dir, _ = parentOf(dir) {
			r.rule("+ /" + pattern(dir) + "/")
		}
		// A path that has come back is shown to the receiver, and so kept.
		r.rule("+ /" + pattern(path))
		r.rule("R /" + wild(path) + "/***")
		r.removed[path] = true
	}
	r.rule("- *")
	return left
}

func (r *gentleRun) rule(s string) {
	r.rules = append(r.rules, "--filter="+s)
	r.bytes += len(s)
}

func slashed(dir string) string {
	if dir == "" {
		return ""
	}
	return dir + "/"
}

// pattern is a path as a pattern of rsync's that matches only it: a backslash
// escapes only in a pattern with wildcards.
func pattern(path string) string {
	if !strings.ContainsAny(path, "*?[") {
		return path
	}
	return wild(path)
}

// wild is a path as the beginning of a pattern with wildcards.
func wild(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// stays tells whether a line says that a directory could not be removed which
// was not asked to go.
func (r *gentleRun) stays(line string) bool {
	name, ok := strings.CutPrefix(line, stubbornText+": ")
	if !ok {
		return false
	}
	path := strings.Trim(strings.TrimPrefix(unescape(name), "./"), "/")
	for {
		if r.removed[path] {
			return false
		}
		if path, ok = parentOf(path); !ok {
			return true
		}
	}
}

// tell adds what no rule could name to the outcome of a run: it fails, and a
// verify pass finds it.
func (r *gentleRun) tell(out Outcome, mode Mode, res *Result) Outcome {
	if len(r.tooLong) == 0 {
		return out
	}
	if mode == Verify {
		for _, path := range r.tooLong {
			res.Changes = append(res.Changes, Change{Item: "*deleting", Path: path, Delete: true})
		}
		return out
	}
	if out.Class == ClassOK {
		out = Outcome{ID: "E-SRC-NAME", Class: ClassEntry, Message: "a path to be removed is too long for a filter rule", Hint: "upgrade rsync on the remote (W-RSYNC-343)"}
	}
	return out
}

// rest are the paths of a batch that are there.
func (b *Batch) rest() []string {
	var out []string
	for _, p := range b.Paths {
		if !slices.Contains(b.gone, p) {
			out = append(out, p)
		}
	}
	return out
}

// anchor finds the nearest directory above a path.
func (l *look) anchor(path string) string {
	dir, _ := parentOf(path)
	for dir != "" && l.dir(dir) != IsDir {
		dir, _ = parentOf(dir)
	}
	return dir
}

// invocation is one rsync of a batch.
type invocation struct {
	batch   *Batch
	list    []byte
	byArgs  bool       // the list may be given as arguments
	removal *gentleRun // nil for none
}

// argv is its command line, with further options of ours.
func (in *invocation) argv(o *Options, mode Mode, more []string) []string {
	switch {
	case in.byArgs:
		return o.argvNames(in.batch, mode, argsOf(in.list), more...)
	case in.removal == nil:
		return o.argv(in.batch, mode, more...)
	}
	a := append(append(o.argvBegin(in.batch, mode), fromStdin...), more...)
	if mode == Send {
		a = append(a, "-ii") // as in laneArgs
	}
	if in.batch.existing {
		a = append(a, "--existing")
	}
	if !in.removal.root {
		a = append(a, "--no-implied-dirs")
	}
	return o.argvEnd(append(append(a, "--delete"), in.removal.rules...))
}

// invocations are what it takes to carry a batch: one rsync, or several when
// the receiver does not take removals beside the rest.
func (t *rsyncTransport) invocations(b *Batch) ([]invocation, error) {
	if runs, err := t.withoutEmpty(b); runs != nil || err != nil {
		return runs, err
	}
	if !b.gentle || len(b.gone) == 0 {
		return []invocation{t.plain(b)}, nil
	}
	l, err := newLook(t.o)
	if err != nil {
		return nil, err
	}
	var out []invocation
	for _, r := range gentleRuns(b.gone, l.anchor) {
		out = append(out, invocation{batch: b, list: r.list, removal: r})
	}
	other := *b
	other.Removes, other.Paths = false, b.rest()
	if len(other.Paths) > 0 {
		out = append(out, t.plain(&other))
	}
	return out, nil
}

// plain is the invocation of a batch that needs nothing special.
func (t *rsyncTransport) plain(b *Batch) invocation {
	list := b.list()
	return invocation{batch: b, list: list, byArgs: t.o.byArgs(b, list)}
}
