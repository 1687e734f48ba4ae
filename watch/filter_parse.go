package watch

import "strings"

// maxPattern is rsync's MAXPATHLEN: it discards longer patterns with a message
// and an exit code of 0, so they must not reach it.
const maxPattern = 4096

// otherRules are rsync rules that are no plain include or exclude.
var otherRules = []string{
	"merge", "dir-merge", "hide", "show", "protect", "risk", "clear",
	".", ":", "H", "S", "P", "R",
}

// splitRule tells include from exclude and finds the pattern. Only what is
// unambiguous is taken: a text that rsync would read as another rule, or that
// could be meant in two ways, gives a reason instead.
func splitRule(text string) (include bool, pattern, reason string) {
	switch {
	case text == "":
		return false, "", "it is empty: remove it"
	case strings.IndexByte(text, 0) >= 0:
		return false, "", "it contains a NUL byte, which no path has: remove it"
	case text == "!" || text == "clear":
		return false, "", "a list cannot be cleared here: remove the rules above it instead"
	}
	switch text[0] {
	case '+', '-':
		include, pattern, reason = splitSign(text)
	case '!':
		reason = "a leading \"!\" clears the list in rsync: to exclude that name write \"- " + text + "\""
	default:
		include, pattern, reason = splitWord(text)
	}
	if reason == "" {
		reason = checkPattern(pattern)
	}
	return include, pattern, reason
}

// splitSign reads "+ PATTERN", "- PATTERN" and the underscore forms.
func splitSign(text string) (include bool, pattern, reason string) {
	include = text[0] == '+'
	if len(text) < 2 {
		return include, "", "it has no pattern: write \"" + text + " PATTERN\""
	}
	if text[1] == ' ' || text[1] == '_' {
		return include, text[2:], ""
	}
	return include, "", "modifiers are not supported, and a name that begins with \"" + text[:1] +
		"\" needs a rule: write \"" + text[:1] + " PATTERN\", here perhaps \"- " + text + "\""
}

// splitWord reads "include PATTERN", "exclude PATTERN" and bare patterns.
func splitWord(text string) (include bool, pattern, reason string) {
	for _, word := range []string{"include", "exclude"} {
		rest, ok := strings.CutPrefix(text, word)
		if !ok {
			continue
		}
		if rest == "" {
			return false, "", "it has no pattern: write \"" + word + " PATTERN\", or \"- " + word + "\" to exclude that name"
		}
		switch rest[0] {
		case ' ':
			return word == "include", rest[1:], ""
		case '_', ',':
			return false, "", "rsync reads this as a rule: write \"- " + text + "\" to exclude that name, or \"" +
				word + " PATTERN\""
		}
	}
	for _, word := range otherRules {
		rest, ok := strings.CutPrefix(text, word)
		if !ok || rest == "" || rest[0] != ' ' && (len(word) == 1 || rest[0] != '_' && rest[0] != ',') {
			continue
		}
		return false, "", "only include and exclude rules are supported, no \"" + word +
			"\": write the rules here with \"+ PATTERN\" or \"- PATTERN\"; to exclude that name write \"- " + text + "\""
	}
	return false, text, ""
}

func checkPattern(pattern string) string {
	if pattern == "" {
		return "it has no pattern: write one after the space"
	}
	if len(pattern) >= maxPattern {
		return "the pattern has 4096 bytes or more, which rsync ignores: shorten it"
	}
	return ""
}
