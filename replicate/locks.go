package replicate

import "strings"

// Scope says how much of the tree a lock covers.
type Scope uint8

const (
	ScopeTree   Scope = iota + 1 // the path and all below it
	ScopeDir                     // the directory itself, which may be made or become another
	ScopeLevel                   // the directory and its direct children
	ScopeStamp                   // the attributes of a directory that is there
	ScopeWithin                  // the mtime of a directory, by writing into it
)

// Lock is a claim of one batch on a part of a remote's tree.
type Lock struct {
	Scope Scope
	Path  string // "" is the root
}

// Locks is the set of claims held on one remote. Two claims conflict when two
// rsync processes holding them could write the same thing:
//
//	Tree(p)  – Tree(q)   equal, or one above the other
//	Tree(p)  – Dir(q)    q is p or below p
//	Dir(p)   – Dir(q)    equal
//	Level(p) – Level(q)  equal
//	Level(q) – Dir(p)    p is q or a child of q
//	Level(q) – Tree(p)   p is q or a child of q, or q is below p
//	Stamp(p)             as Dir(p), but for
//	Stamp(p) – Within(p) never: who writes within has p stamped again afterwards
//	Within(p)            as Dir(p), but for
//	Within(p) – Within(q) never
//
// Every operation costs O(depth of the path), whatever is held. Not safe for
// concurrent use. The zero value is empty.
type Locks struct {
	nodes map[string]*lockNode
}

// lockNode counts the claims at and around one path.
type lockNode struct {
	tree, dir, level    int // at the path itself
	stamp, within       int // of those dir counts, too
	childTree, childDir int // at its direct children
	below               int // of any scope, strictly below
}

func (n *lockNode) empty() bool { return *n == lockNode{} }

// parentOf returns the parent of a path and whether there is one: the root
// has none.
func parentOf(p string) (string, bool) {
	if p == "" {
		return "", false
	}
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i], true
	}
	return "", true
}

// isBelow reports whether p lies strictly below dir.
func isBelow(p, dir string) bool {
	if dir == "" {
		return p != ""
	}
	return len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir
}

// Conflicts reports whether k cannot be held together with what is held.
func (l *Locks) Conflicts(k Lock) bool {
	if len(l.nodes) == 0 {
		return false
	}
	if n := l.nodes[k.Path]; n != nil && n.conflicts(k.Scope) {
		return true
	}
	parent, ok := parentOf(k.Path)
	if n := l.nodes[parent]; ok && n != nil && n.level > 0 && k.Scope != ScopeLevel {
		return true
	}
	for ; ok; parent, ok = parentOf(parent) {
		if n := l.nodes[parent]; n != nil && n.tree > 0 {
			return true
		}
	}
	return false
}

func (n *lockNode) conflicts(s Scope) bool {
	if n.tree > 0 || n.level > 0 {
		return true
	}
	switch s {
	case ScopeTree:
		return n.dir > 0 || n.below > 0
	case ScopeDir:
		return n.dir > 0
	case ScopeStamp:
		return n.dir > n.within
	case ScopeWithin:
		return n.dir > n.within+n.stamp
	default:
		return n.dir > 0 || n.childDir > 0 || n.childTree > 0
	}
}

// Within reports whether somebody writes into a directory without stamping it.
func (l *Locks) Within(dir string) bool {
	n := l.nodes[dir]
	return n != nil && n.within > 0
}

// ConflictsAny reports whether one of ks cannot be held with what is held.
func (l *Locks) ConflictsAny(ks []Lock) bool {
	for _, k := range ks {
		if l.Conflicts(k) {
			return true
		}
	}
	return false
}

// Add claims k, even when it conflicts: the claims of one batch may overlap
// each other, so the caller checks before adding the first of them.
func (l *Locks) Add(k Lock) { l.change(k, 1) }

// Remove gives up a claim that was added.
func (l *Locks) Remove(k Lock) { l.change(k, -1) }

// AddAll and RemoveAll are Add and Remove of each.
func (l *Locks) AddAll(ks []Lock) {
	for _, k := range ks {
		l.Add(k)
	}
}

// RemoveAll gives up every claim of ks.
func (l *Locks) RemoveAll(ks []Lock) {
	for _, k := range ks {
		l.Remove(k)
	}
}

// Empty reports whether nothing is held.
func (l *Locks) Empty() bool { return len(l.nodes) == 0 }

func (l *Locks) change(k Lock, by int) {
	l.update(k.Path, func(n *lockNode) {
		switch k.Scope {
		case ScopeTree:
			n.tree += by
		case ScopeLevel:
			n.level += by
		case ScopeStamp:
			n.stamp += by
			n.dir += by
		case ScopeWithin:
			n.within += by
			n.dir += by
		default:
			n.dir += by
		}
	})
	parent, ok := parentOf(k.Path)
	for direct := true; ok; parent, ok = parentOf(parent) {
		l.update(parent, func(n *lockNode) {
			n.below += by
			if direct && k.Scope == ScopeTree {
				n.childTree += by
			}
			if direct && k.Scope != ScopeTree && k.Scope != ScopeLevel {
				n.childDir += by
			}
		})
		direct = false
	}
}

func (l *Locks) update(path string, fn func(*lockNode)) {
	n := l.nodes[path]
	if n == nil {
		if l.nodes == nil {
			l.nodes = make(map[string]*lockNode)
		}
		n = new(lockNode)
		l.nodes[path] = n
	}
	fn(n)
	if n.empty() {
		delete(l.nodes, path)
	}
}

// dedupe drops claims that are made twice.
func dedupe(ks []Lock) []Lock {
	seen := make(map[Lock]bool, len(ks))
	out := ks[:0]
	for _, k := range ks {
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	return out
}
