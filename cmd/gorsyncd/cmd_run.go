package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/daemon"
	"gorsyncd/cmd/gorsyncd/internal/draft"
	"gorsyncd/cmd/gorsyncd/internal/logging"
	"gorsyncd/cmd/gorsyncd/internal/service"
)

func (a *app) runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Category:  "Daemon",
		Usage:     "replicate until stopped",
		ArgsUsage: "[SOURCE TARGET...]",
		Description: `Runs in the foreground with the configuration file, or without any for one
SOURCE and its TARGETs. The first SIGTERM or SIGINT lets transfers under way
end, a second one cuts them; neither loses anything. SIGHUP reloads.

A target is host::module[/path] or rsync://host[:port]/module[/path] for an
rsync daemon, host:/path for ssh, or a local /path; user@ before the host.

With -o it runs a configuration of sersync, or several, as config import-sersync
reads them. Called by the name of sersync or sersync2 it takes the options of
sersync: see sersync2 -h.

EXAMPLE
   gorsyncd run --config /etc/gorsyncd/gorsyncd.yaml
   gorsyncd run -o /usr/local/sersync/confxml.xml
   gorsyncd run /data0/www/www backup@192.168.222.140::www web2:/data0/www`,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: flagSersync, Aliases: []string{"o"}, Usage: "run a configuration `FILE` of sersync; may be repeated"},
			&cli.IntFlag{Name: flagWorkers, Aliases: []string{"n"}, Usage: "with -o: `N` rsync processes for each remote"},
			&cli.StringFlag{Name: flagPlugin, Aliases: []string{"m"}, Usage: "with -o: only the plugin `NAME` of sersync, and no rsync"},
			&cli.BoolFlag{Name: flagDetach, Aliases: []string{"d"}, Usage: "run in the background; a service of systemd is better"},
		},
		Action: a.runDaemon,
	}
}

// Names of the flags of run.
const (
	flagSersync = "sersync"
	flagWorkers = "workers"
	flagPlugin  = "plugin"
	flagDetach  = "detach"
)

func (a *app) runDaemon(c *cli.Context) error {
	p, err := planOf(c)
	if err != nil {
		return err
	}
	if c.Bool(flagDetach) && !isDetached() {
		return a.detach(c, p.config)
	}
	logs, err := logging.Open(a.err, p.config.Log)
	if err != nil {
		return err
	}
	log := logs.Logger()
	for _, n := range p.notes {
		log.Info("configuration of sersync", "note", n)
	}
	if uid := os.Geteuid(); uid != 0 {
		log.Warn("not running as root: what this user cannot read will fail, and owners are not kept on local targets", "uid", uid)
	}
	noCores(log)
	manager, err := service.FromEnv()
	if err != nil {
		log.Warn("the service manager is not told anything", "error", err)
	}
	stop := watchSignals(log)
	defer stop.release()
	err = daemon.Run(stop.ctx, daemon.Options{
		Config: p.config, Reload: p.reload, Logger: log, SetLog: logs.Set, Version: versionText(), Drain: stop.drain, Signals: stop.hangups, Umask: umask, Service: manager, OpenAPI: openAPIText(),
	})
	if err == nil && stop.ctx.Err() != nil {
		return silent(control.ExitInterrupted)
	}
	return err
}

// plan is what to run, how to read it again, nil for not at all, and what is to be
// said of it.
type plan struct {
	config *config.Config
	reload func() (*config.Config, error)
	notes  []draft.Note
}

// planOf is the configuration of the file, that of a file of sersync's, or that of
// the arguments, which cannot be reloaded.
func planOf(c *cli.Context) (plan, error) {
	args, files := c.Args().Slice(), c.StringSlice(flagSersync)
	// GORSYNCD_CONFIG is no contradiction to arguments, a flag is.
	both := c.IsSet(flagConfig) && c.String(flagConfig) != os.Getenv("GORSYNCD_CONFIG")
	switch {
	case len(files) > 0 && (both || len(args) > 0):
		return plan{}, &control.Error{Code: control.CodeUsage, Message: "either -o, or --config, or SOURCE TARGET"}
	case len(files) > 0:
		conf, res, err := loadSersync(c, files)
		if err != nil {
			return plan{}, err
		}
		again := func() (*config.Config, error) {
			conf, _, err := loadSersync(c, files)
			return conf, err
		}
		return plan{conf, again, res.Notes}, nil
	case len(args) == 0:
		conf, err := loadTrusted(c)
		return plan{config: conf, reload: func() (*config.Config, error) { return loadTrusted(c) }}, err
	case len(args) == 1:
		return plan{}, &control.Error{Code: control.CodeUsage, Message: "a target is missing", Hint: "gorsyncd run SOURCE TARGET..."}
	case both:
		return plan{}, &control.Error{Code: control.CodeUsage, Message: "either --config or SOURCE TARGET, not both"}
	}
	if err := checkLogFlags(c); err != nil {
		return plan{}, err
	}
	conf, err := config.FromArgs(args[0], args[1:], options(c))
	return plan{config: conf}, err
}

// noCores keeps rsync, which knows passwords, from writing core files: into its
// working directory, from where they would be replicated.
func noCores(log *slog.Logger) {
	var l syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_CORE, &l)
	if err == nil {
		l.Cur = 0
		err = syscall.Setrlimit(syscall.RLIMIT_CORE, &l)
	}
	if err != nil {
		log.Warn("core files cannot be switched off", "error", err)
	}
	if os.Getenv("RSYNC_PASSWORD") != "" {
		log.Warn("RSYNC_PASSWORD is not passed on to rsync: set password_file")
	}
}

// stopper turns signals into the two phases of stopping.
type stopper struct {
	ctx     context.Context // ended by the second signal
	drain   chan struct{}   // closed by the first
	hangups chan os.Signal
	release func()
}

func watchSignals(log *slog.Logger) *stopper {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stopper{ctx: ctx, drain: make(chan struct{}), hangups: make(chan os.Signal, 1)}
	stops := make(chan os.Signal, 2)
	signal.Notify(stops, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(s.hangups, syscall.SIGHUP)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		first := true
		for {
			select {
			case <-done:
				return
			case sig := <-stops:
				if !first {
					log.Warn("second signal: cutting transfers", "signal", sig.String())
					cancel()
					return
				}
				first = false
				log.Info("stopping", "signal", sig.String())
				close(s.drain)
			}
		}
	}()
	s.release = func() {
		signal.Stop(stops)
		signal.Stop(s.hangups)
		close(done)
		<-ended
		cancel()
	}
	return s
}
