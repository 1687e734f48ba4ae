package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

func (a *app) monitorCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Category:  "Look",
		Usage:     "one line for Nagios, Icinga, Zabbix or a script",
		ArgsUsage: "[NAME...]",
		Description: `Exit status, unlike that of other commands: 0 OK, 1 WARNING, 2 CRITICAL,
3 UNKNOWN. Critical are a remote that is failing, held or too far behind, a full
journal, and a daemon that does not run.

EXAMPLE
   gorsyncd check -w 60s -c 10m
   gorsyncd check 'www/*' --warning 5m --critical 1h`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "warning", Aliases: []string{"w"}, Value: "60s", Usage: "a remote that is `TIME` behind is a warning"},
			&cli.StringFlag{Name: "critical", Aliases: []string{"c"}, Value: "10m", Usage: "a remote that is `TIME` behind is critical; for the configuration write --config here"},
		},
		Action: withContext(a.monitor),
	}
}

// monitorReport is check --json.
type monitorReport struct {
	Level int    `json:"level"`
	Text  string `json:"text"`
}

// monitor has exit codes of its own: whatever keeps it from an answer is UNKNOWN.
func (a *app) monitor(ctx context.Context, c *cli.Context) error {
	level, text, err := a.judge(ctx, c)
	if err != nil {
		e := control.Classify(err)
		level, text = status.LevelUnknown, fmt.Sprintf("GORSYNCD %s - %s", status.LevelUnknown, e.Message)
		if e.Code == control.CodeUsage && e.Hint != "" {
			text += "; " + e.Hint
		}
		if e.Code == control.CodeUnreachable {
			level, text = status.LevelCritical, fmt.Sprintf("GORSYNCD %s - %s", status.LevelCritical, e.Message)
		}
	}
	if a.json {
		err = a.printJSON(monitorReport{int(level), text})
	} else {
		err = a.print("%s\n", names.Printable(text))
	}
	if err == nil && level != status.LevelOK {
		return silent(level)
	}
	return err
}

func (a *app) judge(ctx context.Context, c *cli.Context) (status.Level, string, error) {
	var limits [2]time.Duration
	for i, flag := range []string{"warning", "critical"} {
		d, err := config.ParseDuration(c.String(flag))
		if err != nil || d <= 0 {
			return 0, "", &control.Error{Code: control.CodeUsage, Message: "--" + flag + ": " + c.String(flag) + " is not a time, such as 60s or 10m"}
		}
		limits[i] = d
	}
	if limits[0] > limits[1] {
		return 0, "", &control.Error{Code: control.CodeUsage, Message: "--warning is later than --critical"}
	}
	s, err := a.readStatus(ctx, c)
	if err != nil {
		return 0, "", err
	}
	level, text := s.Check(limits[0], limits[1])
	return level, text, nil
}
