package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorsyncd/replicate"
)

// checkNames reports names that are not usable or not unique. Remotes are
// named source/remote, so theirs must differ within a source only.
func checkNames(c *Config, rep *reporter) {
	seen := map[string]Source{}
	for _, s := range c.Sources {
		pos := placeOf(s.origins["name"], s.Pos)
		if s.Name != "" {
			if err := checkName(s.Name); err != nil {
				rep.add(pos, "name: %v", err)
			} else if first, again := seen[s.Name]; again {
				rep.add(pos, "the name %q is taken by the source in line %d: set name: to another one", s.Name, first.Pos.Line)
			} else {
				seen[s.Name] = s
			}
		}
		remotes := map[string]Remote{}
		for _, r := range s.Remotes {
			if r.Name == "" {
				continue
			}
			pos := placeOf(r.origins["name"], r.Pos)
			if err := checkName(r.Name); err != nil {
				rep.add(pos, "name: %v", err)
			} else if first, again := remotes[r.Name]; again {
				rep.add(pos, "the name %q is taken by the remote in line %d: write {name: …, target: …}", r.Name, first.Pos.Line)
			} else {
				remotes[r.Name] = r
			}
		}
		checkSinks(s, remotes, rep)
	}
}

// checkSinks reports sinks whose names are not usable or not unique, and what they wait
// for that is not there. They share their names with the remotes: both are called
// source/name.
func checkSinks(s Source, remotes map[string]Remote, rep *reporter) {
	seen := map[string]Sink{}
	for _, k := range s.Sinks {
		if k.Name == "" {
			continue
		}
		pos := placeOf(k.origins["name"], k.Pos)
		remote, named := remotes[k.Name]
		first, again := seen[k.Name]
		if err := checkName(k.Name); err != nil {
			rep.add(pos, "name: %v", err)
		} else if named {
			rep.add(pos, "the name %q is taken by the remote in line %d: set name: to another one", k.Name, remote.Pos.Line)
		} else if again {
			rep.add(pos, "the name %q is taken by the sink in line %d: set name: to another one", k.Name, first.Pos.Line)
		}
		seen[k.Name] = k
		by, acked := k.AckedBy()
		if _, there := remotes[by]; acked && by != "" && !there {
			rep.add(k.origins["when"], "when: the source has no remote %q%s", by, didYouMean(by, slices.Collect(maps.Keys(remotes))))
		} else if acked && len(s.Remotes) == 0 {
			rep.add(k.origins["when"], "when: acked needs a remote that acknowledges")
		}
	}
}

func placeOf(p, fallback Pos) Pos {
	if p.Line == 0 {
		return fallback
	}
	return p
}

const maxName = 64

func checkName(s string) error {
	if len(s) > maxName {
		return fmt.Errorf("longer than %d characters", maxName)
	}
	if strings.Trim(s, nameChars) != "" || strings.IndexByte(nameChars[:36], s[0]) < 0 {
		hint := ""
		if t := SafeName(s); t != "" {
			hint = fmt.Sprintf(" (such as %q)", t)
		}
		return fmt.Errorf("%q may hold only a-z, 0-9, \".\", \"_\" and \"-\", and begins with a letter or digit%s", s, hint)
	}
	return nil
}

// nameChars has letters and digits first.
const nameChars = "abcdefghijklmnopqrstuvwxyz0123456789._-"

// SafeName makes a name of any text, "" when nothing is left of it.
func SafeName(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		if strings.ContainsRune(nameChars, r) {
			b.WriteRune(r)
		} else {
			b.WriteByte('-')
		}
	}
	out := strings.Trim(b.String(), "._-")
	return out[:min(len(out), maxName)]
}

// place is one directory of the configuration for comparison with others.
type place struct {
	what string // how messages call it
	path string
	real string // with symlinks followed
	pos  Pos
}

// checkPaths reports directories that are, or lie in, one another where that
// would lose data or replicate in a circle.
func checkPaths(c *Config, o Options, rep *reporter) {
	var sources, targets []place
	for _, s := range c.Sources {
		if s.Path == "" {
			continue
		}
		sources = append(sources, place{fmt.Sprintf("the source %q", s.Name), s.Path, o.RealPath(s.Path), placeOf(s.origins["path"], s.Pos)})
		for _, r := range s.Remotes {
			if r.Target.Kind == replicate.Local {
				p := r.Target.Path
				targets = append(targets, place{fmt.Sprintf("the target of %q", s.FullName(r)), p, o.RealPath(p), placeOf(r.origins["target"], r.Pos)})
			}
		}
	}
	checkSocketPath(c, rep)
	for i, a := range sources {
		for _, b := range sources[:i] {
			switch {
			case inside(a.real, b.real):
				rep.add(a.pos, "%s lies inside %s (%s): every change would be seen twice", a.path, b.what, b.path)
			case inside(b.real, a.real):
				rep.add(a.pos, "%s holds %s (%s): every change would be seen twice", a.path, b.what, b.path)
			}
		}
		for _, t := range targets {
			switch {
			case inside(t.real, a.real):
				rep.add(t.pos, "the target lies inside %s (%s): it would replicate itself for ever", a.what, a.path)
			case inside(a.real, t.real):
				rep.add(t.pos, "the target holds %s (%s): it would be overwritten", a.what, a.path)
			}
		}
	}
	checkOwnPlaces(c, o, append(sources, targets...), rep)
	checkTargets(c, targets, rep)
}

// checkOwnPlaces keeps the daemon's own files out of sources and targets.
func checkOwnPlaces(c *Config, o Options, all []place, rep *reporter) {
	own := []place{
		{"state_dir", c.StateDir, o.RealPath(c.StateDir), c.origins["state_dir"]},
		{"the socket", c.Socket.Path, o.RealPath(c.Socket.Path), c.origins["socket.path"]},
	}
	if f := c.Log.File; f != "" { // each line would be a change
		own = append(own, place{"the log file", f, o.RealPath(f), c.origins["log.file"]})
	}
	for _, mine := range own {
		for _, p := range all {
			if inside(mine.real, p.real) {
				rep.add(placeOf(mine.pos, p.pos), "%s (%s) lies inside %s (%s)", mine.what, mine.path, p.what, p.path)
			}
		}
	}
}

// checkTargets reports one destination given twice, whatever its source: two
// writers would undo each other's work.
func checkTargets(c *Config, local []place, rep *reporter) {
	for i, a := range local {
		for _, b := range local[:i] {
			if inside(a.real, b.real) || inside(b.real, a.real) {
				rep.add(a.pos, "%s and %s (%s) overlap", a.path, b.what, b.path)
			}
		}
	}
	seen := map[string]string{}
	for _, s := range c.Sources {
		for _, r := range s.Remotes {
			text := r.Target.String()
			if text == "" || r.Target.Kind == replicate.Local {
				continue
			}
			if first, again := seen[text]; again {
				rep.add(placeOf(r.origins["target"], r.Pos), "%s is already the target of %q", text, first)
			} else {
				seen[text] = s.FullName(r)
			}
		}
	}
}

// maxSocketPath is what fits into sockaddr_un with its final NUL.
const maxSocketPath = 107

func checkSocketPath(c *Config, rep *reporter) {
	if len(c.Socket.Path) > maxSocketPath {
		rep.add(c.origins["socket.path"], "the path of the socket is longer than the %d bytes the kernel allows", maxSocketPath)
	}
}

// inside says whether p is dir or below it. Both are clean.
func inside(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}
