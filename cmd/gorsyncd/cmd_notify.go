package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/daemon"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/notify"
)

func (a *app) notifyCommand() *cli.Command {
	return &cli.Command{
		Name:     "notify",
		Category: "Setup",
		Usage:    "try the notifiers of the configuration",
		Description: `EXAMPLE
   gorsyncd notify test`,
		Subcommands: []*cli.Command{{
			Name:      "test",
			Usage:     "send a test message by every notifier, or by those named, and tell what came back",
			ArgsUsage: "[NOTIFIER...]",
			Description: `The message is sent by this command, as the configuration file says now: the
daemon need not run, nor have been reloaded. A check of healthchecks gets a log
entry, which does not count as a heartbeat. Exit status 4: something was not
delivered.

EXAMPLE
   gorsyncd notify test
   gorsyncd notify test ops -c ./new.yaml`,
			Action: withContext(a.notifyTest),
		}},
	}
}

// notifyReport is notify test --json.
type notifyReport struct {
	Notifiers []notifyResult `json:"notifiers"`
}

// notifyResult is what came back from one receiver.
type notifyResult struct {
	Name      string `json:"name"`
	Kind      string `json:"kind"`
	Target    string `json:"target"` // without secrets
	Delivered bool   `json:"delivered"`
	Answer    string `json:"answer"`
	Warning   string `json:"warning"`
	ErrorID   string `json:"error_id"`
	Message   string `json:"message"`
	Hint      string `json:"hint"`
}

func (a *app) notifyTest(ctx context.Context, c *cli.Context) error {
	if err := trusted(configPath(c)); err != nil { // it names programs to run
		return err
	}
	conf, err := load(c)
	if err != nil {
		return err
	}
	chosen, err := chooseNotifiers(conf, c.Args().Slice())
	if err != nil {
		return err
	}
	rep := notifyReport{Notifiers: make([]notifyResult, len(chosen))}
	var wg sync.WaitGroup
	for i, n := range chosen {
		wg.Go(func() { rep.Notifiers[i] = tryNotifier(ctx, n) })
	}
	wg.Wait()
	if a.json {
		err = a.printJSON(rep)
	} else {
		err = a.showNotified(rep)
	}
	if err == nil && slices.ContainsFunc(rep.Notifiers, func(r notifyResult) bool { return !r.Delivered }) {
		return silent(control.ExitProblem)
	}
	return err
}

// chooseNotifiers are those of the given names, or all.
func chooseNotifiers(conf *config.Config, want []string) ([]config.Notify, error) {
	var known []string
	for _, n := range conf.Notify {
		known = append(known, n.Name)
	}
	if len(known) == 0 {
		return nil, &control.Error{Code: control.CodeUsage, Message: "no notifier is configured in " + conf.File, Hint: "see: gorsyncd docs notifications"}
	}
	for _, w := range want {
		if !slices.Contains(known, w) {
			hint := "known are " + strings.Join(known, ", ")
			if best := config.Closest(w, known); best != "" {
				hint = fmt.Sprintf("did you mean %q?", best)
			}
			return nil, &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("no notifier is called %q", w), Hint: hint}
		}
	}
	return slices.DeleteFunc(slices.Clone(conf.Notify), func(n config.Notify) bool { return len(want) > 0 && !slices.Contains(want, n.Name) }), nil
}

func tryNotifier(ctx context.Context, n config.Notify) notifyResult {
	dir := daemon.CredentialsDir()
	ch := daemon.NewChannel(n, dir)
	r := notifyResult{Name: n.Name, Kind: n.Kind, Target: ch.String()}
	if asks := n.Credentials(); len(asks) > 0 && dir == "" {
		r.ErrorID, r.Message = "E-NOTIFY-SECRET", "it needs the credential "+asks[0]+" of systemd, which only the service is given"
		r.Hint = fmt.Sprintf("sudo systemd-run --pipe --wait -p LoadCredential=%s:/path/of/the/file gorsyncd notify test %s", asks[0], n.Name)
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	m := notify.NewTest(daemon.HostName(), n.Name, notify.Language(n.Language), time.Now())
	answer, failure := ch.Send(ctx, &m)
	if failure != nil {
		r.ErrorID, r.Message, r.Hint = failure.ID, failure.Message, failure.Hint
		return r
	}
	r.Delivered, r.Answer, r.Warning = true, answer.Text, answer.Warning
	return r
}

func (a *app) showNotified(rep notifyReport) error {
	for _, r := range rep.Notifiers {
		line := fmt.Sprintf("%s (%s, %s): delivered: %s", r.Name, r.Kind, r.Target, r.Answer)
		if !r.Delivered {
			line = fmt.Sprintf("%s (%s, %s): not delivered: %s %s", r.Name, r.Kind, r.Target, r.ErrorID, r.Message)
		}
		if r.Warning != "" {
			line += "; " + r.Warning
		}
		if err := a.print("%s\n", names.Printable(line)); err != nil {
			return err
		}
		if r.Hint != "" {
			if err := a.showRemedy(r.Hint); err != nil {
				return err
			}
		}
	}
	return nil
}
