package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/daemon"
	"gorsyncd/cmd/gorsyncd/internal/doctor"
)

func (a *app) configCommand() *cli.Command {
	return &cli.Command{
		Name:     "config",
		Category: "Setup",
		Usage:    "check the configuration, show it with every default, or make it from another program's",
		Description: `EXAMPLE
   gorsyncd config check -c ./new.yaml`,
		Subcommands: []*cli.Command{
			{
				Name:  "check",
				Usage: "find every mistake; exit status 78 if there is one",
				Description: `Each error has its place, the line, and a suggestion where one is close. With
--connect every remote is asked, too, with a run that sends nothing, whether it
would take what is sent; exit status 4 if one would not.

EXAMPLE
   gorsyncd config check -c /etc/gorsyncd/gorsyncd.yaml
   gorsyncd config check --connect && gorsyncd reload`,
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "connect", Usage: "ask every remote as well"}},
				Action: withContext(a.configCheck),
			},
			{
				Name:  "show",
				Usage: "print the configuration with every default, and where each value comes from",
				Description: `EXAMPLE
   gorsyncd config show
   gorsyncd config show --running`,
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "running", Usage: "that of the running daemon instead of the file's"}},
				Action: withContext(a.configShow),
			},
			a.schemaCommand(), a.importSersyncCommand(), a.importLsyncdCommand(),
		},
	}
}

// configReport is config check --json.
type configReport struct {
	OK     bool              `json:"ok"`
	File   string            `json:"file"`
	Errors []configErrorLine `json:"errors"`
	// Remotes says of each, with --connect, whether it would take what is sent.
	Remotes []doctor.Finding `json:"remotes"`
}

type configErrorLine struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

func (a *app) configCheck(ctx context.Context, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	conf, err := load(c)
	var bad *config.Errors
	switch {
	case errors.As(err, &bad):
		return a.configErrors(ctx, c, bad)
	case err != nil:
		return err
	}
	asked := []doctor.Finding{}
	if c.Bool("connect") {
		asked = doctor.Remotes(ctx, conf, doctor.Options{Reach: daemon.Reach, Expires: daemon.Expires, Credentials: daemon.CredentialsDir()})
	}
	if err := a.configGood(conf, asked); err != nil {
		return err
	}
	if slices.ContainsFunc(asked, func(f doctor.Finding) bool { return f.Level == doctor.Fail }) {
		return silent(control.ExitProblem)
	}
	return nil
}

// configGood tells of a file without mistakes, and what its remotes say.
func (a *app) configGood(conf *config.Config, asked []doctor.Finding) error {
	if a.json {
		ok := !slices.ContainsFunc(asked, func(f doctor.Finding) bool { return f.Level == doctor.Fail })
		return a.printJSON(configReport{OK: ok, File: conf.File, Errors: []configErrorLine{}, Remotes: asked})
	}
	if err := a.print("%s: ok, %s\n", conf.File, summary(conf)); err != nil {
		return err
	}
	return a.showFindings(asked)
}

func summary(c *config.Config) string {
	sources, remotes := len(c.Sources), len(c.RemoteNames())
	return fmt.Sprintf("%d %s, %d %s", sources, word(sources, "source"), remotes, word(remotes, "remote"))
}

func word(n int, one string) string {
	if n == 1 {
		return one
	}
	return one + "s"
}

// configErrors prints them as a compiler would, and what it means for a
// running daemon.
func (a *app) configErrors(ctx context.Context, c *cli.Context, bad *config.Errors) error {
	if a.json {
		rep := configReport{File: configPath(c), Errors: []configErrorLine{}, Remotes: []doctor.Finding{}}
		for _, e := range bad.List {
			rep.Errors = append(rep.Errors, configErrorLine{e.Pos.File, e.Pos.Line, e.Pos.Col, e.Message})
		}
		if err := a.printJSON(rep); err != nil {
			return err
		}
		return silent(control.ExitConfig)
	}
	a.message("%s", bad.Error())
	tail := fmt.Sprintf("%d %s", len(bad.List), word(len(bad.List), "error"))
	if answers(ctx, client(c)) {
		tail += "; the running daemon keeps its config"
	}
	a.message("%s", tail)
	return silent(control.ExitConfig)
}

// answers tells whether somebody listens on the socket.
func answers(ctx context.Context, c *control.Client) bool {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "unix", c.Path)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was said on it
	return true
}

// configText is a configuration in a document.
type configText struct {
	Config string `json:"config"` // YAML
}

func (a *app) configShow(ctx context.Context, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	text, err := a.configText(ctx, c)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(configText{text})
	}
	return a.print("%s", text)
}

func (a *app) configText(ctx context.Context, c *cli.Context) (string, error) {
	if c.Bool("running") {
		return client(c).ConfigShow(ctx)
	}
	conf, err := load(c)
	if err != nil {
		return "", err
	}
	return conf.Show()
}
