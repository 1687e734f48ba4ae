package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/journal"
)

// namesLimit is how long a shell waits for the daemon to name its remotes.
const namesLimit = 300 * time.Millisecond

func commandWords(cmds []*cli.Command) []candidate {
	var out []candidate
	for _, c := range cmds {
		if !c.Hidden {
			out = append(out, candidate{c.Name, c.Usage})
		}
	}
	return out
}

// flagWords are the long spellings, and with nothing but a dash the short ones.
func flagWords(flags []cli.Flag, cur string) []candidate {
	var out []candidate
	for _, f := range slices.Concat(flags, []cli.Flag{cli.HelpFlag}) {
		about := strings.ReplaceAll(flagUsage(f), "`", "")
		for _, n := range f.Names() {
			switch {
			case len(n) > 1:
				out = append(out, candidate{"--" + n, about})
			case cur == "-":
				out = append(out, candidate{"-" + n, about})
			}
		}
	}
	return out
}

func flagUsage(f cli.Flag) string {
	if d, ok := f.(cli.DocGenerationFlag); ok {
		return d.GetUsage()
	}
	return ""
}

// flagValues goes by the name of a flag, else by the word for its value.
func (a *app) flagValues(r *reorderer, f cli.Flag) []candidate {
	if f == nil || !takesValue(f) {
		return nil
	}
	switch f.Names()[0] {
	case flagLogLevel:
		return wordsOf(config.LogLevels)
	case flagLogFormat:
		return wordsOf(config.LogFormats)
	case "state":
		return wordsOf([]string{journal.StateQueued, journal.StateFailing, journal.StateAcked})
	case "remote":
		return wordsOf(a.remoteNames(r))
	case "source":
		return wordsOf(sourcesOf(a.remoteNames(r)))
	}
	_, rest, _ := strings.Cut(flagUsage(f), "`")
	place, _, _ := strings.Cut(rest, "`")
	return a.named(r, place)
}

// arguments goes by the words for the arguments of a command.
func (a *app) arguments(r *reorderer) []candidate {
	if r.cmd == nil {
		return nil
	}
	places := strings.Fields(strings.NewReplacer("[", " ", "]", " ", "|", " ").Replace(r.cmd.ArgsUsage))
	many := strings.Contains(r.cmd.ArgsUsage, "...")
	if !many && len(r.rest) >= len(places) {
		return nil
	}
	switch r.cmd.Name {
	case "docs":
		return a.docWords()
	case "completion":
		return wordsOf(shells)
	}
	var out []candidate
	for _, p := range places {
		for _, c := range a.named(r, strings.TrimSuffix(p, "...")) {
			if !slices.Contains(r.rest, c.word) && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// named is what stands for a word in capitals.
func (a *app) named(r *reorderer, place string) []candidate {
	switch place {
	case "NAME":
		all := a.remoteNames(r)
		return wordsOf(slices.Concat(all, sourcesOf(all)))
	case "NOTIFIER":
		return wordsOf(a.notifierNames(r))
	case "FILE", "PATH":
		return []candidate{someFiles}
	case "DIR", "SOURCE", "TARGET", "SUB":
		return []candidate{someDirs}
	}
	return nil
}

func wordsOf(words []string) []candidate {
	out := make([]candidate, 0, len(words))
	for _, w := range words {
		out = append(out, candidate{word: w})
	}
	return out
}

func sourcesOf(remotes []string) []string {
	var out []string
	for _, r := range remotes {
		if s, _, ok := strings.Cut(r, "/"); ok && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (a *app) docWords() []candidate {
	list, err := listDocs()
	if err != nil {
		return nil
	}
	var out []candidate
	for _, d := range list {
		out = append(out, candidate{d.Name, d.Title})
	}
	return out
}

// remoteNames are the remotes that the words so far mean.
func (a *app) remoteNames(r *reorderer) []string {
	c, err := a.globalContext(r.globals)
	if err != nil {
		return nil
	}
	return knownRemotes(c)
}

// notifierNames are those of the file: what tries them reads it, too.
func (a *app) notifierNames(r *reorderer) []string {
	c, err := a.globalContext(r.globals)
	if err != nil {
		return nil
	}
	conf, err := config.Load(configPath(c), options(c))
	if err != nil {
		return nil
	}
	var out []string
	for _, n := range conf.Notify {
		out = append(out, n.Name)
	}
	return out
}

// knownRemotes asks the daemon, which may have been started without a file, else
// reads the file. Silently: without either there are none.
func knownRemotes(c *cli.Context) []string {
	ctx, cancel := context.WithTimeout(context.Background(), namesLimit)
	defer cancel()
	if s, err := client(c).Status(ctx); err == nil {
		var out []string
		for _, remote := range s.Remotes {
			out = append(out, remote.Name)
		}
		return out
	}
	conf, err := config.Load(configPath(c), options(c))
	if err != nil {
		return nil
	}
	return conf.RemoteNames()
}

// globalContext has the values of the global flags in args and the environment.
func (a *app) globalContext(args []string) (*cli.Context, error) {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for _, f := range a.cli.Flags {
		if err := f.Apply(set); err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Names()[0], err)
		}
	}
	if err := set.Parse(args); err != nil {
		return nil, fmt.Errorf("read flags: %w", err)
	}
	return cli.NewContext(a.cli, set, nil), nil
}
