package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
)

// app is one run of the command line.
type app struct {
	out, err io.Writer // results, messages
	now      func() time.Time
	cli      *cli.App
	json     bool // set before any command runs

	args []string // the command line, in the order the library wants
}

// newApp builds the command tree.
func newApp(out, errOut io.Writer) *app {
	a := &app{out: out, err: errOut, now: time.Now}
	a.cli = &cli.App{
		Name:            "gorsyncd",
		Usage:           "keep rsync remotes equal to watched directory trees",
		UsageText:       "gorsyncd COMMAND [ARGUMENTS] [FLAGS]   (flags may stand anywhere before --)",
		Description:     "Start with: gorsyncd run SOURCE TARGET\nExit status: " + exitHelp(),
		HideVersion:     true,
		HideHelpCommand: true,
		Writer:          out,
		ErrWriter:       errOut,
		Flags:           globalFlags(),
		Action:          a.noCommand,
		Commands: []*cli.Command{
			a.runCommand(), a.reloadCommand(),
			a.statusCommand(), a.monitorCommand(), a.doctorCommand(), a.explainCommand(), a.flushCommand(), a.eventsCommand(), a.reportCommand(),
			a.syncCommand(), a.verifyCommand(), a.replayCommand(), a.retryCommand(), a.pauseCommand(), a.resumeCommand(), a.approveCommand(),
			a.journalCommand(), a.configCommand(), a.notifyCommand(), a.initCommand(), a.docsCommand(), a.completionCommand(), a.versionCommand(),
		},
		ExitErrHandler: func(*cli.Context, error) {}, // run decides on the exit status
	}
	a.cli.OnUsageError = usageError
	each(a.cli.Commands, func(c *cli.Command) {
		c.OnUsageError = usageError
		c.HideHelpCommand = true
		c.Description += "\n\nFlags for every command, such as --config and --json: gorsyncd --help"
		if len(c.Subcommands) > 0 {
			c.Action = a.noCommand
		}
	})
	return a
}

func each(cmds []*cli.Command, do func(*cli.Command)) {
	for _, c := range cmds {
		do(c)
		each(c.Subcommands, do)
	}
}

// Names of the global flags.
const (
	flagConfig    = "config"
	flagSocket    = "socket"
	flagStateDir  = "state-dir"
	flagLogLevel  = "log-level"
	flagLogFormat = "log-format"
	flagLogFile   = "log-file"
	flagJSON      = "json"
	flagNoColor   = "no-color"
	flagVersion   = "version"
)

func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: flagConfig, Aliases: []string{"c"}, Usage: "configuration `FILE`", EnvVars: []string{"GORSYNCD_CONFIG"}},
		&cli.StringFlag{Name: flagSocket, Usage: "control socket `PATH`", EnvVars: []string{"GORSYNCD_SOCKET"}},
		&cli.StringFlag{Name: flagStateDir, Usage: "`DIR` of the journal", EnvVars: []string{"GORSYNCD_STATE_DIR"}},
		&cli.StringFlag{Name: flagLogLevel, Usage: "log from `LEVEL`: debug, info, warn or error", EnvVars: []string{"GORSYNCD_LOG_LEVEL"}},
		&cli.StringFlag{Name: flagLogFormat, Usage: "log as `FORMAT`: auto, text, json or journal", EnvVars: []string{"GORSYNCD_LOG_FORMAT"}},
		&cli.StringFlag{Name: flagLogFile, Usage: "log to `FILE` instead of standard error", EnvVars: []string{"GORSYNCD_LOG_FILE"}},
		&cli.BoolFlag{Name: flagJSON, Usage: "machine-readable output"},
		&cli.BoolFlag{Name: flagNoColor, Usage: "no colour (also NO_COLOR)"},
		&cli.BoolFlag{Name: flagVersion, Aliases: []string{"V"}, Usage: "print the version"},
	}
}

// run executes one command line and returns the exit status.
func (a *app) run(args []string) int {
	if len(args) > 0 && args[0] == completeArg {
		a.complete(args[1:])
		return control.ExitOK
	}
	ordered := reorder(a.cli, args)
	for _, arg := range ordered { // needed for errors in the flags themselves
		if arg == "--" {
			break
		}
		a.json = a.json || arg == "--"+flagJSON
	}
	a.args = ordered
	err := a.cli.Run(append([]string{"gorsyncd"}, ordered...))
	return a.report(err)
}

// noCommand is reached when no known command was named.
func (a *app) noCommand(c *cli.Context) error {
	if c.Bool(flagVersion) {
		return a.printVersion()
	}
	if name := c.Args().First(); name != "" {
		parent := c.Command
		return &control.Error{Code: control.CodeUsage,
			Message: fmt.Sprintf("unknown command %q", strings.TrimSpace(commandPrefix(parent)+name)),
			Hint:    suggestCommand(name, parent.Subcommands)}
	}
	if len(c.Lineage()) > 2 {
		_ = cli.ShowSubcommandHelp(c) // writes to our writer, whose errors out sees
		return &control.Error{Code: control.CodeUsage, Message: "a command is missing"}
	}
	return cli.ShowAppHelp(c)
}

func commandPrefix(c *cli.Command) string {
	if c.HelpName == "" || c.HelpName == "gorsyncd" {
		return ""
	}
	return strings.TrimPrefix(c.HelpName, "gorsyncd ") + " "
}

func suggestCommand(name string, known []*cli.Command) string {
	words := make([]string, 0, len(known))
	for _, c := range known {
		words = append(words, c.Name)
	}
	return suggest(name, words)
}

func usageError(_ *cli.Context, err error, _ bool) error {
	return &control.Error{Code: control.CodeUsage, Message: err.Error(), Hint: "see --help", Err: err}
}

// withContext makes a command of an action that needs a context.
func withContext(do func(ctx context.Context, c *cli.Context) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		ctx, stop := interruptible()
		defer stop()
		return do(ctx, c)
	}
}

// noArgs refuses arguments where there is nothing to name.
func noArgs(c *cli.Context) error {
	if c.NArg() > 0 {
		return &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("unexpected argument %q", c.Args().First()), Hint: "see --help"}
	}
	return nil
}

func needArgs(c *cli.Context, what string) error {
	if c.NArg() == 0 {
		return &control.Error{Code: control.CodeUsage, Message: what + " is missing", Hint: "see --help"}
	}
	return nil
}

// silent ends a command with an exit status and no message.
type silent int

func (s silent) Error() string { return fmt.Sprintf("exit status %d", int(s)) }
