package watch

import (
	"fmt"
	"strings"
)

// PartialDir is the directory in which rsync keeps half-received files on
// local targets. It is never replicated, whatever the rules say.
const PartialDir = ".gorsyncd-partial"

// ProbeName is what gorsyncd puts directly into a target for a moment, to see
// what is kept there. In a source nothing of that name is replicated.
const ProbeName = ".gorsyncd-probe"

// Rule is one line of a filter as the user wrote it.
type Rule struct {
	Text   string // an rsync filter rule, or a bare pattern, which excludes
	Origin string // where it was written, "file:line", for messages
}

// RuleError says which rule cannot be used and what to write instead.
type RuleError struct {
	Rule   Rule
	Reason string // with the remedy
}

func (e *RuleError) Error() string {
	if e.Rule.Origin == "" {
		return fmt.Sprintf("filter rule %q: %s", e.Rule.Text, e.Reason)
	}
	return fmt.Sprintf("%s: filter rule %q: %s", e.Rule.Origin, e.Rule.Text, e.Reason)
}

// Verdict is what the filter says of a path, and why.
type Verdict struct {
	Excluded bool   `json:"excluded"`
	Rule     string `json:"rule,omitempty"`   // the text of the rule that decided; "" when none did
	Origin   string `json:"origin,omitempty"` // where that rule was written
	By       string `json:"by,omitempty"`     // the path it matched: an ancestor that prunes the path, or the path itself
}

// Filter decides which paths of a tree take part, exactly as rsync would with
// the same rules: the first rule that matches wins, a path that none matches is
// included, and nothing below an excluded directory is looked at. A nil Filter
// has no rules of the user's. It is immutable and safe for concurrent use.
type Filter struct {
	rules []compiled
}

// ParseFilter compiles rules in order. The first rule it cannot use is
// returned as a *RuleError.
func ParseFilter(rules []Rule) (*Filter, error) {
	f := &Filter{rules: make([]compiled, 0, len(rules)+len(builtin))}
	f.rules = append(f.rules, builtin...)
	for _, r := range rules {
		include, pattern, reason := splitRule(r.Text)
		if reason != "" {
			return nil, &RuleError{Rule: r, Reason: reason}
		}
		f.rules = append(f.rules, compile(r, include, pattern))
	}
	return f, nil
}

var (
	builtin  = []compiled{builtinRule(PartialDir + "/"), builtinRule("/" + ProbeName)}
	noFilter = &Filter{rules: builtin}
)

func builtinRule(pattern string) compiled {
	return compile(Rule{Text: "- " + pattern, Origin: "built in"}, false, pattern)
}

// Match says whether path, relative to the root, is excluded, by itself or
// because an ancestor directory is. The root itself ("") never is.
func (f *Filter) Match(path string, isDir bool) Verdict {
	if path == "" {
		return Verdict{}
	}
	for i := 0; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		if v := f.matchOne(path[:i], true); v.Excluded {
			return v
		}
	}
	return f.matchOne(path, isDir)
}

// excludes is Match without the ancestors, which the caller has walked down.
func (f *Filter) excludes(path string, isDir bool) bool {
	return path != "" && f.matchOne(path, isDir).Excluded
}

func (f *Filter) matchOne(path string, isDir bool) Verdict {
	if f == nil {
		f = noFilter
	}
	for i := range f.rules {
		r := &f.rules[i]
		if r.match(path, isDir) {
			return Verdict{Excluded: !r.include, Rule: r.rule.Text, Origin: r.rule.Origin, By: path}
		}
	}
	return Verdict{}
}

// Args returns rsync arguments that express the same rules. Each is one
// element of argv; none may pass through a shell.
func (f *Filter) Args() []string {
	if f == nil {
		f = noFilter
	}
	args := make([]string, 0, len(f.rules))
	for _, r := range f.rules {
		sign := "-"
		if r.include {
			sign = "+"
		}
		args = append(args, "--filter="+sign+" "+r.source)
	}
	return args
}

// String lists the rules, one a line, for logs.
func (f *Filter) String() string {
	return strings.Join(f.Args(), "\n")
}
