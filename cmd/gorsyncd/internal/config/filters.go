package config

import (
	"errors"
	"fmt"
	"strings"

	"gorsyncd/watch"
)

// checkExclude accepts one element of exclude: a bare pattern.
func checkExclude(pattern string) error {
	switch {
	case pattern == "":
		return errors.New("an empty pattern")
	case strings.HasPrefix(pattern, "- "), strings.HasPrefix(pattern, "+ "):
		return fmt.Errorf("%q is a rule: exclude takes bare patterns, rules go under filter", pattern)
	}
	return checkRule("- " + pattern)
}

// checkRule accepts one element of filter.
func checkRule(text string) error {
	if strings.ContainsAny(text, "\n\r") {
		return fmt.Errorf("%q holds a line break, which a filter rule cannot", text)
	}
	_, err := watch.ParseFilter([]watch.Rule{{Text: text}})
	return ruleError(err)
}

func ruleError(err error) error {
	var re *watch.RuleError
	if errors.As(err, &re) {
		return fmt.Errorf("%q: %s", re.Rule.Text, re.Reason)
	}
	return err
}

// rules spells filter and exclude as one list in the order they are tried:
// rules first, so that a "+" rule can keep something from an exclude.
func rules(s Settings) []watch.Rule {
	var out []watch.Rule
	for _, it := range s.Rules {
		out = append(out, watch.Rule{Text: it.Text, Origin: origin(it.Pos)})
	}
	for _, it := range s.Exclude {
		out = append(out, watch.Rule{Text: "- " + it.Text, Origin: origin(it.Pos)})
	}
	return out
}

// origin is file:line, for explain.
func origin(p Pos) string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// remoteRules are the rules a remote itself wrote, reported unless each
// excludes: what the source's rules leave out is not watched, so including it
// for one remote would send it once and never again.
func remoteRules(rep *reporter, own level) []watch.Rule {
	var out []watch.Rule
	if st, ok := own["filter"]; ok {
		for _, it := range st.value.([]Item) {
			if strings.HasPrefix(it.Text, "+") || strings.HasPrefix(it.Text, "include ") {
				rep.add(it.Pos, "filter: %q: the filter of a remote can only exclude; include it at the source", it.Text)
				continue
			}
			out = append(out, watch.Rule{Text: it.Text, Origin: origin(it.Pos)})
		}
	}
	if st, ok := own["exclude"]; ok {
		for _, it := range st.value.([]Item) {
			out = append(out, watch.Rule{Text: "- " + it.Text, Origin: origin(it.Pos)})
		}
	}
	return out
}
