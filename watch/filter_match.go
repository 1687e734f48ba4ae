package watch

import "strings"

// compiled is one rule with what rsync derives from its pattern
// (rsync's exclude.c, add_rule and rule_matches, is the reference; the
// differential test compares with the installed rsync).
type compiled struct {
	rule    Rule
	include bool
	source  string // the pattern as written
	pattern string // without a trailing slash and a leading one

	dirOnly  bool // had a trailing slash
	anchored bool // had a leading slash
	wild     bool // has one of * ? [; only then does a backslash escape
	wild2    bool // has **
	prefix2  bool // begins with **
	suffix3  bool // ends with ***
	slashes  int  // counted before the leading slash was cut
}

func compile(r Rule, include bool, source string) compiled {
	c := compiled{rule: r, include: include, source: source}
	p := source
	if len(p) > 1 && p[len(p)-1] == '/' {
		p = p[:len(p)-1]
		c.dirOnly = true
	}
	c.slashes = strings.Count(p, "/")
	if strings.ContainsAny(p, "*[?") {
		c.wild = true
		if at := strings.Index(p, "**"); at >= 0 {
			c.wild2 = true
			c.prefix2 = at == 0
			c.suffix3 = strings.HasSuffix(p, "***")
		}
	}
	if strings.HasPrefix(p, "/") {
		c.anchored = true
		p = p[1:]
	}
	c.pattern = p
	return c
}

// match says whether the rule's pattern covers path, ancestors aside.
func (c *compiled) match(path string, isDir bool) bool {
	if c.dirOnly && !isDir {
		return false
	}
	name := path
	if c.slashes == 0 && !c.wild2 {
		name = path[strings.LastIndexByte(path, '/')+1:]
	}
	if !c.wild {
		return c.literal(name)
	}
	if c.prefix2 && (c.slashes > 0 || c.wild2) {
		name = "/" + name // lets "**/" match at the start
	}
	if isDir && c.suffix3 {
		name += "/" // lets "/***" match the directory itself
	}
	switch {
	case !c.anchored && c.slashes > 0 && !c.wild2:
		tail, ok := lastElements(name, c.slashes+1)
		return ok && wild(c.pattern, tail) == matched
	case !c.anchored && c.wild2 && !c.prefix2:
		return wildAfterSlash(c.pattern, name)
	default:
		return wild(c.pattern, name) == matched
	}
}

// literal compares a pattern without wildcards: as a whole when anchored, else
// as the last elements of the path.
func (c *compiled) literal(name string) bool {
	if c.anchored {
		return name == c.pattern
	}
	if !strings.HasSuffix(name, c.pattern) {
		return false
	}
	rest := len(name) - len(c.pattern)
	return rest == 0 || name[rest-1] == '/'
}

// lastElements returns the last n elements of a path that has at least n.
func lastElements(path string, n int) (string, bool) {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] != '/' {
			continue
		}
		if n--; n == 0 {
			return path[i+1:], true
		}
	}
	return path, n == 1
}

// wildAfterSlash tries the pattern at the start and after every slash, and
// gives up where rsync's wildmatch_array does.
func wildAfterSlash(pattern, name string) bool {
	switch wild(pattern, name) {
	case matched:
		return true
	case abortAll:
		return false
	}
	for i := 0; i < len(name); i++ {
		if name[i] != '/' {
			continue
		}
		switch wild(pattern, name[i+1:]) {
		case matched:
			return true
		case abortAll:
			return false
		}
	}
	return false
}
