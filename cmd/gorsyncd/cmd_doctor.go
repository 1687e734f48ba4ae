package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/daemon"
	"gorsyncd/cmd/gorsyncd/internal/doctor"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

func (a *app) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:     "doctor",
		Category: "Look",
		Usage:    "look at everything the configuration needs, with a remedy for what is wrong",
		Description: `Looks at rsync, the state directory, how trees can be watched and the sources,
and asks every remote, with a run that sends nothing, whether it would take what
is sent. What a running daemon has found out, such as that a remote keeps no
owners, is told as well. It changes nothing, and the daemon need not run. Exit status 4: something
fails.

EXAMPLE
   gorsyncd doctor --config ./new.yaml`,
		Action: withContext(a.doctor),
	}
}

func (a *app) doctor(ctx context.Context, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	conf, err := load(c)
	if err != nil {
		return err
	}
	list := doctor.Look(ctx, conf, doctor.Options{Reach: daemon.Reach, Expires: daemon.Expires, Running: answers(ctx, client(c)), Root: os.Geteuid() == 0,
		Found: found(ctx, client(c)), Credentials: daemon.CredentialsDir()})
	if a.json {
		err = a.printJSON(list)
	} else {
		err = a.showFindings(list)
	}
	if err == nil && slices.ContainsFunc(list, func(f doctor.Finding) bool { return f.Level == doctor.Fail }) {
		return silent(control.ExitProblem)
	}
	return err
}

// found asks the daemon what it knows of its remotes; without one that is nothing.
func found(ctx context.Context, c *control.Client) map[string][]replicate.FindingStatus {
	st, err := c.Status(ctx)
	if err != nil {
		return nil
	}
	all := map[string][]replicate.FindingStatus{}
	for _, r := range st.Remotes {
		all[r.Name] = r.Findings
	}
	return all
}

func (a *app) showFindings(list []doctor.Finding) error {
	for _, f := range list {
		text := f.Text
		if f.ID != "" {
			text = f.ID + " " + text
		}
		if err := a.print("%-4s  %s: %s\n", f.Level, names.Printable(f.About), names.Printable(text)); err != nil {
			return err
		}
		if f.Remedy != "" {
			if err := a.showRemedy(f.Remedy); err != nil {
				return err
			}
		}
	}
	return nil
}

// showRemedy prints a remedy; what follows its first line is to be copied.
func (a *app) showRemedy(text string) error {
	mark := "→ "
	for line := range strings.Lines(text) {
		if err := a.print("      %s%s\n", mark, names.Printable(strings.TrimSuffix(line, "\n"))); err != nil {
			return err
		}
		mark = "    "
	}
	return nil
}
