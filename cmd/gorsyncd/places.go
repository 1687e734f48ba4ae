package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/daemon"
	"gorsyncd/cmd/gorsyncd/internal/offline"
	"gorsyncd/cmd/gorsyncd/internal/trust"
)

func defaultPaths() config.Paths { return config.DefaultPaths(os.Getenv, os.Geteuid() == 0) }

func configPath(c *cli.Context) string { return cmp.Or(c.String(flagConfig), defaultPaths().Config) }

// client is a client of the daemon this command line means: --socket, else
// what the configuration says, else the default.
func client(c *cli.Context) *control.Client {
	if s := c.String(flagSocket); s != "" {
		return control.New(s)
	}
	socket, _ := config.Peek(configPath(c))
	return control.New(cmp.Or(socket, defaultPaths().Socket))
}

func options(c *cli.Context) config.Options {
	return config.Options{
		StateDir: absolute(c.String(flagStateDir)), Socket: absolute(c.String(flagSocket)),
		LogLevel: c.String(flagLogLevel), LogFormat: c.String(flagLogFormat), LogFile: absolute(c.String(flagLogFile)),
	}
}

// absolute makes a path given on the command line independent of the working
// directory; "" stays "".
func absolute(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	if abs, err := filepath.Abs(p); err == nil {
		return abs
	}
	return p
}

// load reads the configuration; whatever keeps it from being read makes it
// invalid, but for missing permission.
func load(c *cli.Context) (*config.Config, error) {
	if err := checkLogFlags(c); err != nil {
		return nil, err
	}
	path := configPath(c)
	conf, err := config.Load(path, options(c))
	var content *config.Errors
	switch {
	case err == nil, errors.As(err, &content), errors.Is(err, fs.ErrPermission):
		return conf, err
	case errors.Is(err, fs.ErrNotExist):
		return nil, &control.Error{Code: control.CodeConfig, Message: "there is no configuration file " + path, Err: err,
			Hint: "write one with: gorsyncd init SOURCE TARGET   or run without: gorsyncd run SOURCE TARGET"}
	}
	return nil, &control.Error{Code: control.CodeConfig, Message: err.Error(), Err: err}
}

// loadTrusted is load for those who act on it.
func loadTrusted(c *cli.Context) (*config.Config, error) {
	if err := trusted(configPath(c)); err != nil {
		return nil, err
	}
	conf, err := load(c) // which says what else is wrong
	if err != nil {
		return nil, err
	}
	return conf, conf.CheckCredentials(daemon.CredentialsDir())
}

// trusted refuses a file that others may have written: it names programs and
// options to run, so that nobody but root and we may have.
func trusted(file string) error {
	path, err := filepath.Abs(file)
	if err != nil {
		return fmt.Errorf("find the configuration: %w", err)
	}
	if err := trust.File(path); trust.Untrusted(err) {
		return &control.Error{Code: control.CodePermission, Message: "configuration: " + err.Error(), Err: err,
			Hint: "it decides which programs run; it has to belong to root or to the user gorsyncd runs as, below directories nobody else may write in"}
	}
	return nil
}

func checkLogFlags(c *cli.Context) error {
	for flag, known := range map[string][]string{flagLogLevel: config.LogLevels, flagLogFormat: config.LogFormats} {
		v := c.String(flag)
		if v == "" {
			continue
		}
		if !slices.Contains(known, v) {
			return &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("--%s: unknown value %q", flag, v), Hint: "known are " + strings.Join(known, ", ")}
		}
	}
	return nil
}

// openOffline opens the journal without a daemon, wherever it is.
func openOffline(c *cli.Context) (*offline.View, error) {
	dir := absolute(c.String(flagStateDir))
	if dir == "" {
		_, dir = config.Peek(configPath(c))
	}
	return offline.Open(filepath.Join(cmp.Or(dir, defaultPaths().StateDir), config.JournalName))
}

// unreachable tells that the daemon is not running, as opposed to any other
// trouble with it.
func unreachable(err error) bool {
	var e *control.Error
	return errors.As(err, &e) && e.Code == control.CodeUnreachable
}
