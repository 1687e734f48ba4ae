package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/daemon"
	"gorsyncd/cmd/gorsyncd/internal/names"
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

EXAMPLE
   gorsyncd run --config /etc/gorsyncd/gorsyncd.yaml
   gorsyncd run /data0/www/www backup@192.168.222.140::www web2:/data0/www`,
		Action: a.runDaemon,
	}
}

func (a *app) runDaemon(c *cli.Context) error {
	conf, reload, err := runConfig(c)
	if err != nil {
		return err
	}
	log := newLogger(a.err, conf.Log)
	if uid := os.Geteuid(); uid != 0 {
		log.Warn("not running as root: what this user cannot read will fail, and owners are not kept on local targets", "uid", uid)
	}
	noCores(log)
	stop := watchSignals(log)
	defer stop.release()
	err = daemon.Run(stop.ctx, daemon.Options{
		Config: conf, Reload: reload, Logger: log, Version: versionText(), Drain: stop.drain, Signals: stop.hangups, Umask: umask,
	})
	if err == nil && stop.ctx.Err() != nil {
		return silent(control.ExitInterrupted)
	}
	return err
}

// runConfig is the configuration of the file, or that of the arguments, which
// cannot be reloaded.
func runConfig(c *cli.Context) (*config.Config, func() (*config.Config, error), error) {
	args := c.Args().Slice()
	if len(args) == 0 {
		conf, err := loadTrusted(c)
		return conf, func() (*config.Config, error) { return loadTrusted(c) }, err
	}
	if len(args) == 1 {
		return nil, nil, &control.Error{Code: control.CodeUsage, Message: "a target is missing", Hint: "gorsyncd run SOURCE TARGET..."}
	}
	// GORSYNCD_CONFIG is no contradiction to arguments, a flag is.
	if c.IsSet(flagConfig) && c.String(flagConfig) != os.Getenv("GORSYNCD_CONFIG") {
		return nil, nil, &control.Error{Code: control.CodeUsage, Message: "either --config or SOURCE TARGET, not both"}
	}
	if err := checkLogFlags(c); err != nil {
		return nil, nil, err
	}
	conf, err := config.FromArgs(args[0], args[1:], options(c))
	return conf, nil, err
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

func newLogger(w io.Writer, l config.Log) *slog.Logger {
	level := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}[l.Level]
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(names.JSONWriter(w), o))
	}
	return slog.New(slog.NewTextHandler(w, o))
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
