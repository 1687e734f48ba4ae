package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
)

// exitMeanings are the exit statuses of every command but check.
var exitMeanings = []struct {
	code int
	what string
}{
	{control.ExitOK, "done or in sync"},
	{control.ExitError, "other error"},
	{control.ExitNotInSync, "not in sync"},
	{control.ExitProblem, "a remote is failing or held"},
	{control.ExitDifferences, "differences found"},
	{control.ExitUsage, "wrong usage"},
	{control.ExitUnreachable, "daemon not reachable"},
	{control.ExitBusy, "in use by another instance"},
	{control.ExitPermission, "no permission"},
	{control.ExitConfig, "configuration invalid"},
	{control.ExitInterrupted, "interrupted"},
}

// exitHelp is the same in lines for --help.
func exitHelp() string {
	const widest = 62
	lines := []string{""}
	for i, e := range exitMeanings {
		text := fmt.Sprintf("%d %s", e.code, e.what)
		if i < len(exitMeanings)-1 {
			text += ","
		}
		if last := &lines[len(lines)-1]; len(*last)+1+len(text) <= widest {
			*last = strings.TrimSpace(*last + " " + text)
			continue
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n") + ".\nAn unknown one is a failure."
}

// exitPipe is the status of a command that SIGPIPE ended.
const exitPipe = 128 + int(syscall.SIGPIPE)

// report tells the user about err on stderr and returns the exit status. It
// is the only way from an error to either.
func (a *app) report(err error) int {
	if err == nil {
		return control.ExitOK
	}
	var quiet silent
	if errors.As(err, &quiet) {
		return int(quiet)
	}
	if errors.Is(err, syscall.EPIPE) && outputGone() {
		return exitPipe // who reads has enough, as with head
	}
	e := control.Classify(err)
	if a.json {
		_ = json.NewEncoder(names.JSONWriter(a.err)).Encode(control.ErrorDocument{Error: e}) // stderr is gone: nobody to tell
		return e.Exit()
	}
	fmt.Fprint(a.err, errorText(e))
	return e.Exit()
}

// errorText is the message, then the hint on a line of its own. Configuration
// errors begin with their place, as compilers do it; others with our name.
func errorText(e *control.Error) string {
	var b strings.Builder
	if e.Code != control.CodeConfig {
		b.WriteString("gorsyncd: ")
	}
	for line := range strings.SplitSeq(strings.TrimRight(e.Message, "\n"), "\n") {
		b.WriteString(names.Printable(line) + "\n")
	}
	if e.Hint != "" {
		b.WriteString(names.Printable(e.Hint) + "\n")
	}
	return b.String()
}

// origin says on stderr which way the journal is read, also with --json: rows
// from a copy look like any others.
func (a *app) origin(how string) { fmt.Fprintf(a.err, "journal: %s\n", names.Printable(how)) }

// message writes a line to stderr. With --json there are none but errors.
func (a *app) message(format string, args ...any) {
	if !a.json {
		for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
			fmt.Fprintln(a.err, names.Printable(line))
		}
	}
}

// print writes a result to stdout.
func (a *app) print(format string, args ...any) error {
	if _, err := fmt.Fprintf(a.out, format, args...); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// printJSON writes one document as one line.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(names.JSONWriter(a.out))
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
