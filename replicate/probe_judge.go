package replicate

import (
	"fmt"
	"strings"

	"gorsyncd/journal"
)

// verdict judges what came back from a remote.
type verdict struct {
	lines []probeLine // of the comparison, all files
	asked aspects
	tree  probeTree
	sent  string // stderr of the run that sent them

	found  []journal.Finding
	looked aspects
}

// judge fills in found and looked. It returns false when the files are not
// there, so that nothing can be told.
func (v *verdict) judge() bool {
	file, ok := v.line(probeFile)
	if !ok || file.differs('s') {
		return false
	}
	v.owners(file)
	v.looked.modes = v.tree.has.modes
	if v.looked.modes && file.differs('p') {
		v.add("W-MODES", "a file of mode 640 has another one there")
	}
	v.looked.times = v.tree.has.times
	if v.looked.times && file.differs('t') {
		v.add("W-TIMES", "a time with nanoseconds is another one there")
	}
	v.links()
	v.attributes()
	return true
}

func (v *verdict) line(name string) (probeLine, bool) {
	for _, l := range v.lines {
		if l.name == name {
			return l, true
		}
	}
	return probeLine{}, false
}

func (v *verdict) add(id, detail string) {
	v.found = append(v.found, journal.Finding{ID: id, Detail: detail})
}

func (v *verdict) owners(file probeLine) {
	if v.looked.owners = v.tree.has.owners; !v.looked.owners {
		return
	}
	switch owner, group := file.differs('o'), file.differs('g'); {
	case owner && group:
		v.add("W-OWNERS", "neither owner nor group of a file is kept")
	case owner:
		v.add("W-OWNERS", "the owner of a file is not kept")
	case group:
		v.add("W-OWNERS", "the group of a file is not kept")
	}
}

// mungePrefix is what an rsync daemon puts in front of a symlink's target. It
// takes it away again when it reads the link, so that only the size shows it.
const mungePrefix = "/rsyncd-munged/"

func (v *verdict) links() {
	if v.looked.symlinks = v.tree.has.symlinks; !v.looked.symlinks {
		return
	}
	munged, missing := 0, 0
	var changed []string
	for name, to := range probeLinks {
		l, ok := v.line(name)
		switch {
		case !ok:
			missing++
		case l.differs('c'):
			changed = append(changed, to)
		case l.size == int64(len(mungePrefix)+len(to)):
			munged++
		}
	}
	switch {
	case missing > 0:
		v.add("W-SYMLINKS", "a symlink that was sent is not there")
	case munged == len(probeLinks):
		v.add("W-SYMLINKS", "the server munges them: a link to x is a link to "+mungePrefix+"x there, and leads nowhere")
	case len(changed) > 0:
		v.add("W-SYMLINKS", "the server rewrites those that lead out of the module, such as "+minOf(changed))
	}
}

// minOf makes a detail that does not depend on the order of a map.
func minOf(list []string) string {
	least := list[0]
	for _, s := range list {
		least = min(least, s)
	}
	return least
}

// attributes judges xattrs and ACLs.
func (v *verdict) attributes() {
	l, ok := v.line(probeAttrs)
	if !ok {
		return // it failed for a reason that cannot be told from here
	}
	reason := func(words string) string {
		for line := range strings.Lines(v.sent) {
			if line = tidy(line); strings.HasPrefix(line, "rsync: ") && strings.Contains(line, words) {
				if _, why, ok := strings.Cut(line, " failed: "); ok {
					return fmt.Sprintf("a file lost them: %s", why)
				}
				if i := strings.LastIndex(line, "): "); i >= 0 {
					return fmt.Sprintf("a file lost them: %s", line[i+3:])
				}
			}
		}
		return "a file lost them"
	}
	if v.looked.xattrs = v.tree.has.xattrs; v.looked.xattrs && l.differs('x') {
		v.add("W-XATTRS", reason("xattr"))
	}
	if v.looked.acls = v.tree.has.acls; v.looked.acls && l.differs('a') {
		v.add("W-ACLS", reason("acl"))
	}
}
