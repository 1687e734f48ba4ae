package events

import (
	"errors"
	"fmt"
	"strings"

	"gorsyncd/watch"
)

// Pattern selects paths as `exclude:` of the configuration does: an rsync
// pattern, and all that is below what it matches. What is gone could have been a
// directory, so every path counts as one.
type Pattern struct{ filter *watch.Filter }

// ParsePattern returns one that selects everything for "".
func ParsePattern(text string) (Pattern, error) {
	if text == "" {
		return Pattern{}, nil
	}
	if strings.ContainsAny(text, "\n\r") {
		return Pattern{}, fmt.Errorf("%q holds a line break", text)
	}
	f, err := watch.ParseFilter([]watch.Rule{{Text: "- " + text}})
	var bad *watch.RuleError
	if errors.As(err, &bad) {
		return Pattern{}, fmt.Errorf("%q: %s", text, bad.Reason)
	}
	return Pattern{f}, err
}

// Match tells whether a path, relative to its source, is selected.
func (p Pattern) Match(path string) bool {
	return p.filter == nil || p.filter.Match(path, true).Excluded
}
