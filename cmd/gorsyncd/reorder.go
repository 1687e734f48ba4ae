package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// reorder puts args into the order that urfave/cli v2 understands: global
// flags, command, its flags, then arguments. The library silently takes a flag
// behind an argument for an argument; here flags may stand anywhere before
// "--". `help COMMAND` becomes `COMMAND --help`.
func reorder(app *cli.App, args []string) []string {
	r := reorderer{global: app.Flags, cmds: app.Commands}
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			r.rest = append(r.rest, args...)
			args = nil
		case len(arg) > 1 && arg[0] == '-':
			args = r.flag(arg, args)
		default:
			r.word(arg)
		}
	}
	return r.result()
}

type reorderer struct {
	global []cli.Flag
	cmds   []*cli.Command // that the next word may name
	local  []cli.Flag     // of the commands named so far
	cmd    *cli.Command   // the last of them

	globals, path, locals, rest []string
}

// word is a command as long as it names one, then everything is an argument.
func (r *reorderer) word(arg string) {
	if len(r.rest) == 0 {
		for _, c := range r.cmds {
			if c.HasName(arg) {
				r.path, r.cmd = append(r.path, arg), c
				r.local = append(slices.Clone(c.Flags), r.local...)
				r.cmds = c.Subcommands
				return
			}
		}
	}
	r.rest = append(r.rest, arg)
}

// flag files arg, with its value if that is a word of its own, under the
// command's flags or the global ones. It returns the args that are left. An
// unknown flag goes to the command, which refuses it.
func (r *reorderer) flag(arg string, args []string) []string {
	name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	into := &r.locals
	f := find(r.local, name)
	if f == nil {
		if f = find(r.global, name); f != nil {
			into = &r.globals
			arg = "--" + f.Names()[0] + strings.TrimPrefix(strings.TrimLeft(arg, "-"), name)
		}
	}
	*into = append(*into, arg)
	if f != nil && !hasValue && takesValue(f) && len(args) > 0 {
		*into = append(*into, args[0])
		args = args[1:]
	}
	return args
}

// find is the flag that arg names, with or without a value; nil for an unknown one.
func (r *reorderer) find(arg string) cli.Flag {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if f := find(r.local, name); f != nil {
		return f
	}
	return find(r.global, name)
}

// awaits tells that the word behind arg is its value.
func (r *reorderer) awaits(arg string) bool {
	f := r.find(arg)
	return f != nil && takesValue(f) && !strings.Contains(arg, "=")
}

func (r *reorderer) result() []string {
	// The library's help about a command that does not exist ends without a
	// suggestion.
	if len(r.rest) > 0 && len(r.cmds) > 0 {
		r.locals = slices.DeleteFunc(r.locals, func(s string) bool { return s == "--help" || s == "-h" })
	}
	// The flags of the innermost command serve all levels, since only the
	// last one has an action.
	out := slices.Concat(r.globals, r.path, r.locals)
	if slices.ContainsFunc(r.rest, func(s string) bool { return len(s) > 1 && s[0] == '-' }) {
		out = append(out, "--")
	}
	return append(out, r.rest...)
}

func find(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	_, isBool := f.(*cli.BoolFlag)
	return !isBool
}
