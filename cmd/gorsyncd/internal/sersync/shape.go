package sersync

import (
	"errors"
	"slices"
	"strings"
)

var (
	errEverything = errors.New("it leaves out everything")
	errNothing    = errors.New("it left out nothing: below the root sersync compares a path that begins with a slash, in the root a name without one")
)

const (
	noteDot = "a dot without a backslash stands for any character, as in sersync"
	noteDir = "a directory of this name is left out with all in it; sersync left out its own events only"
)

// shape turns one alternative into rules. See rulesOf for what it was compared
// with.
func shape(tokens []token) (rules []string, note string, err error) {
	tokens = trimEdges(tokens)
	if slices.ContainsFunc(tokens, func(t token) bool { return t.kind == edge }) {
		return nil, "", errNotGlob
	}
	open := len(tokens) > 0 && tokens[0].kind == star
	for len(tokens) > 0 && tokens[0].kind == star {
		tokens = tokens[1:]
	}
	end := tokenKind(glob) // or what it ends with: star, slashes
	if n := len(tokens); n > 0 && tokens[n-1].kind != glob && tokens[n-1].kind != slash {
		end = tokens[n-1].kind
		for len(tokens) > 0 && tokens[len(tokens)-1].kind == end {
			tokens = tokens[:len(tokens)-1]
		}
	}
	if slices.ContainsFunc(tokens, func(t token) bool { return t.kind != glob && t.kind != slash }) {
		return nil, "", errNotGlob
	}
	if strings.Trim(text(tokens), "?*/") == "" {
		return nil, "", errEverything
	}
	if slices.Contains(tokens, token{glob, "?"}) {
		note = noteDot
	}
	if open {
		rules, err = anywhere(text(tokens), end)
		return rules, note, err
	}
	rules, n, err := anchored(text(tokens), end)
	if note == "" {
		note = n
	}
	return rules, note, err
}

func trimEdges(tokens []token) []token {
	for len(tokens) > 0 && tokens[0].kind == edge {
		tokens = tokens[1:]
	}
	for len(tokens) > 0 && tokens[len(tokens)-1].kind == edge {
		tokens = tokens[:len(tokens)-1]
	}
	return tokens
}

func text(tokens []token) string {
	var b strings.Builder
	for _, t := range tokens {
		if t.kind == slash {
			b.WriteByte('/')
		} else {
			b.WriteString(t.text)
		}
	}
	return b.String()
}

// anywhere is for an expression that begins with .*
func anywhere(body string, end tokenKind) ([]string, error) {
	inner := strings.Trim(body, "/")
	front, back := strings.HasPrefix(body, "/"), strings.HasSuffix(body, "/")
	switch {
	case strings.Contains(inner, "/"):
		return nil, errNotGlob
	case !front && back && end == star:
		return []string{"- *" + inner + "/"}, nil // (.*)cache/(.*)
	case !front && !back && end == star:
		return []string{"- *" + inner + "*"}, nil // (.*)cache(.*)
	case !front && !back:
		return []string{"- *" + inner}, nil // (.*)\.svn
	case front && back && end == star:
		return []string{"- " + inner + "/"}, nil // (.*)/cache/(.*)
	case front && !back && end == glob:
		return []string{"+ /" + inner, "- " + inner}, nil // (.*)/name is not that of the root
	}
	return nil, errNotGlob
}

// anchored is for one that does not.
func anchored(body string, end tokenKind) (rules []string, note string, err error) {
	inner := strings.Trim(body, "/")
	front, back := strings.HasPrefix(body, "/"), strings.HasSuffix(body, "/")
	switch {
	case strings.Contains(inner, "//"):
		return nil, "", errNothing
	case front && !strings.Contains(inner, "/") && !back:
		if end == glob {
			return nil, "", errNothing // /name
		}
		return nil, "", errNotGlob
	case front && back && end == star:
		return []string{"- /" + inner + "/*"}, "", nil // /a/(.*)
	case front && !back && end == star:
		return []string{"- /" + inner + "*"}, "", nil // /a/b(.*)
	case front && !back && end == glob:
		return []string{"- /" + inner}, noteDir, nil // /a/b
	case front:
		return nil, "", errNotGlob
	case end == slashes && !back && !strings.Contains(inner, "/"):
		return []string{"- /" + inner}, "", nil // ^info/*
	case end == slashes && !back, back && (end == star || end == glob):
		return []string{"- /" + inner + "/"}, "", nil // a/b/*, a/(.*), a/
	case strings.Contains(inner, "/"):
		return nil, "", errNothing // a/b
	case end == star:
		return []string{"- /" + inner + "*"}, "", nil // ^tmp(.*)
	}
	return []string{"- /" + inner}, noteDir, nil // name
}
