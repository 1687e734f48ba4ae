package main

import (
	"slices"
	"strings"
)

// completeArg is the first argument with which the scripts of `completion` ask
// what may stand in the place of the last one. The library's own completion was
// rejected: it knows no values of flags, and it takes a flag behind an argument
// for an argument.
const completeArg = "__complete"

// candidate is one word, with what it means. One that begins with a colon tells
// the script to complete files itself.
type candidate struct{ word, about string }

var (
	someFiles = candidate{word: ":files"}
	someDirs  = candidate{word: ":dirs"}
)

// complete prints what may stand in the place of the last of words, one a line.
// It never fails: a shell that completes has no place for errors.
func (a *app) complete(words []string) {
	for _, c := range a.candidates(words) {
		line := c.word
		if c.about != "" {
			line += "\t" + c.about
		}
		if a.print("%s\n", line) != nil {
			return
		}
	}
}

func (a *app) candidates(words []string) []candidate {
	last := lastWord(words)
	before := last.before
	help := len(before) > 0 && before[0] == "help"
	if help {
		before = before[1:]
	}
	r := reorderer{global: a.cli.Flags, cmds: a.cli.Commands}
	of, onlyArgs := last.flag, false
	for len(before) > 0 {
		arg := before[0]
		before = before[1:]
		switch {
		case arg == "--" && !onlyArgs:
			onlyArgs = true
		case !onlyArgs && len(arg) > 1 && arg[0] == '-':
			if len(before) == 0 && r.awaits(arg) {
				of = arg
				break
			}
			before = r.flag(arg, before)
		default:
			r.word(arg)
		}
	}
	return last.keep(a.fitting(&r, of, last.part, help, onlyArgs))
}

// fitting are the words for a place: a flag's value, a flag, a command or an
// argument.
func (a *app) fitting(r *reorderer, of, part string, help, onlyArgs bool) []candidate {
	switch {
	case of != "":
		return a.flagValues(r, r.find(of))
	case strings.HasPrefix(part, "-") && !onlyArgs:
		return flagWords(slices.Concat(r.local, r.global), part)
	case help || len(r.rest) == 0 && len(r.cmds) > 0:
		return commandWords(r.cmds)
	}
	return a.arguments(r)
}

// partial is the word to be completed and what stands before it.
type partial struct {
	before []string
	flag   string // of --flag=part, else ""
	glue   string // --flag= where the shell takes it for a part of the word
	part   string
}

// lastWord splits words. bash takes --flag=part for three of them.
func lastWord(words []string) partial {
	if len(words) == 0 {
		return partial{}
	}
	n := len(words) - 1
	p := partial{before: words[:n], part: words[n]}
	isLong := func(i int) bool { return i >= 0 && strings.HasPrefix(words[i], "--") && len(words[i]) > 2 }
	switch {
	case p.part == "=" && isLong(n-1):
		return partial{before: words[:n-1], flag: words[n-1]}
	case n >= 1 && words[n-1] == "=" && isLong(n-2):
		return partial{before: words[:n-2], flag: words[n-2], part: p.part}
	case isLong(n) && strings.Contains(p.part, "="):
		p.flag, p.part, _ = strings.Cut(p.part, "=")
		p.glue = p.flag + "="
	}
	return p
}

// keep leaves what begins like the word.
func (p partial) keep(all []candidate) []candidate {
	var out []candidate
	for _, c := range all {
		switch {
		case strings.HasPrefix(c.word, ":"):
			out = append(out, c)
		case strings.HasPrefix(c.word, p.part):
			out = append(out, candidate{p.glue + c.word, c.about})
		}
	}
	return out
}
