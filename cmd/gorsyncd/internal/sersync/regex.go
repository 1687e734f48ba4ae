package sersync

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
)

// rulesOf turns an expression of sersync's filter into rules of rsync that leave
// out the same, or says why there are none. sersync asked whether the expression
// is the whole of a text (boost::regex_match), and the text was
//
//	name       for what lies in the root,
//	/a/b/name  for an event below it, with a slash in front,
//	a/b/       for each directory when it started, without one and with one behind.
//
// So "^info/*", meant by its author for all of info, did leave out that directory,
// by the third form, and "^test/two\.txt" left out nothing.
func rulesOf(expr string) (rules []string, note string, err error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, "", fmt.Errorf("it cannot be read: %w", err)
	}
	all, err := expand(re)
	if err != nil {
		return nil, "", err
	}
	for _, tokens := range all {
		r, n, err := shape(tokens)
		if err != nil {
			return nil, "", err
		}
		if rules = append(rules, r...); note == "" {
			note = n
		}
	}
	return rules, note, nil
}

// token is one part of what an expression matches.
type token struct {
	kind tokenKind
	text string // of glob: as in a pattern
}

type tokenKind byte

const (
	glob    tokenKind = iota // one character other than the slash, or within-a-name star
	slash                    // /
	star                     // .*
	slashes                  // /*, any number of slashes
	edge                     // ^ or $
)

// maxExpanded bounds the alternatives of one expression.
const maxExpanded = 64

var (
	errNotGlob = errors.New("no pattern of rsync says the same")
	errTooMany = fmt.Errorf("it has more than %d alternatives", maxExpanded)
)

// expand lists the alternatives of an expression.
func expand(re *syntax.Regexp) ([][]token, error) {
	one := func(t token) ([][]token, error) { return [][]token{{t}}, nil }
	switch re.Op {
	case syntax.OpEmptyMatch:
		return [][]token{nil}, nil
	case syntax.OpBeginLine, syntax.OpBeginText, syntax.OpEndLine, syntax.OpEndText:
		return one(token{kind: edge})
	case syntax.OpLiteral:
		return literal(re)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return one(token{glob, "?"})
	case syntax.OpCharClass:
		t, err := class(re)
		return [][]token{{t}}, err
	case syntax.OpCapture:
		return expand(re.Sub[0])
	case syntax.OpQuest:
		with, err := expand(re.Sub[0])
		return append([][]token{nil}, with...), err
	case syntax.OpStar, syntax.OpPlus:
		return repeated(re)
	case syntax.OpAlternate:
		return alternatives(re.Sub)
	case syntax.OpConcat:
		return sequence(re.Sub)
	}
	return nil, errNotGlob
}

func literal(re *syntax.Regexp) ([][]token, error) {
	var list []token
	for _, r := range re.Rune {
		switch {
		case r == '/':
			list = append(list, token{kind: slash})
		case r == '\\':
			return nil, errNotGlob // rsync's backslash means something only beside a wildcard
		case strings.ContainsRune("*?[", r):
			list = append(list, token{glob, "[" + string(r) + "]"})
		case re.Flags&syntax.FoldCase != 0 && strings.ToLower(string(r)) != strings.ToUpper(string(r)):
			list = append(list, token{glob, "[" + strings.ToLower(string(r)) + strings.ToUpper(string(r)) + "]"})
		default:
			list = append(list, token{glob, string(r)})
		}
	}
	return [][]token{list}, nil
}

// class takes over short classes of printable characters.
func class(re *syntax.Regexp) (token, error) {
	var b strings.Builder
	b.WriteByte('[')
	for i := 0; i < len(re.Rune); i += 2 {
		lo, hi := re.Rune[i], re.Rune[i+1]
		if lo < ' ' || hi > '~' || lo <= '/' && '/' <= hi || strings.ContainsRune(`]\^-!`, lo) || strings.ContainsRune(`]\^-!`, hi) {
			return token{}, errNotGlob
		}
		if b.WriteRune(lo); hi > lo {
			b.WriteByte('-')
			b.WriteRune(hi)
		}
	}
	b.WriteByte(']')
	return token{glob, b.String()}, nil
}

// repeated knows .*, .+, [^/]* and /*.
func repeated(re *syntax.Regexp) ([][]token, error) {
	sub := re.Sub[0]
	for sub.Op == syntax.OpCapture {
		sub = sub.Sub[0]
	}
	var list []token
	switch {
	case sub.Op == syntax.OpAnyChar || sub.Op == syntax.OpAnyCharNotNL:
		if re.Op == syntax.OpPlus {
			list = append(list, token{glob, "?"})
		}
		list = append(list, token{kind: star})
	case sub.Op == syntax.OpCharClass && notSlash(sub):
		if re.Op == syntax.OpPlus {
			list = append(list, token{glob, "?"})
		}
		list = append(list, token{glob, "*"})
	case sub.Op == syntax.OpLiteral && string(sub.Rune) == "/" && re.Op == syntax.OpStar:
		list = append(list, token{kind: slashes})
	default:
		return nil, errNotGlob
	}
	return [][]token{list}, nil
}

// notSlash tells [^/].
func notSlash(re *syntax.Regexp) bool {
	r := re.Rune
	return len(r) == 4 && r[0] == 0 && r[1] == '/'-1 && r[2] == '/'+1
}

func alternatives(subs []*syntax.Regexp) ([][]token, error) {
	var all [][]token
	for _, sub := range subs {
		list, err := expand(sub)
		if err != nil {
			return nil, err
		}
		if all = append(all, list...); len(all) > maxExpanded {
			return nil, errTooMany
		}
	}
	return all, nil
}

func sequence(subs []*syntax.Regexp) ([][]token, error) {
	all := [][]token{nil}
	for _, sub := range subs {
		list, err := expand(sub)
		if err != nil {
			return nil, err
		}
		var next [][]token
		for _, a := range all {
			for _, b := range list {
				next = append(next, append(append([]token(nil), a...), b...))
			}
		}
		if all = next; len(all) > maxExpanded {
			return nil, errTooMany
		}
	}
	return all, nil
}
