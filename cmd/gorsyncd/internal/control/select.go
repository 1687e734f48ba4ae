package control

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// Select returns those of all that a pattern matches, in the order of all.
// A pattern is a full name, a source's name (all its remotes), a remote's name
// without its source (in every source that has it), or a glob such as www/* or
// */nas. No pattern selects everything; a pattern that matches
// nothing is an *Error with CodeUsage.
func Select(patterns, all []string) ([]string, error) {
	if len(patterns) == 0 {
		return slices.Clone(all), nil
	}
	chosen := map[string]bool{}
	for _, p := range patterns {
		globs := []string{p}
		if !strings.Contains(p, "/") {
			globs = []string{p + "/*", "*/" + p}
		}
		found := false
		for _, glob := range globs {
			for _, name := range all {
				ok, err := path.Match(glob, name)
				if err != nil {
					return nil, &Error{Code: CodeUsage, Message: fmt.Sprintf("%q is not a name or a pattern", p), Err: err}
				}
				if ok {
					found, chosen[name] = true, true
				}
			}
			if found {
				break // a source called nas is not also every remote of that name
			}
		}
		if !found {
			return nil, &Error{Code: CodeUsage, Message: fmt.Sprintf("no remote is called %q", p), Hint: meant(p, all)}
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(n string) bool { return !chosen[n] }), nil
}

// meant is the hint for a name that no remote has.
func meant(name string, all []string) string {
	var words []string
	for _, full := range all {
		source, remote, _ := strings.Cut(full, "/")
		words = append(words, full)
		if !strings.Contains(name, "/") {
			words = append(words, source, remote)
		}
	}
	if best := config.Closest(name, words); best != "" {
		return fmt.Sprintf("did you mean %q? ", best) + known(all)
	}
	return known(all)
}

func known(all []string) string {
	const most = 8
	if len(all) <= most {
		return "known are " + strings.Join(all, ", ")
	}
	return fmt.Sprintf("known are %s and %d more: gorsyncd status", strings.Join(all[:most], ", "), len(all)-most)
}
