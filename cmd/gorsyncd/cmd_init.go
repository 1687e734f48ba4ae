package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
)

func (a *app) initCommand() *cli.Command {
	return &cli.Command{
		Name:      "init",
		Category:  "Setup",
		Usage:     "write a minimal configuration",
		ArgsUsage: "SOURCE TARGET...",
		Description: `Writes to the place where run looks for it, or to --config; an existing file is
not touched.

EXAMPLE
   gorsyncd init /data0/www/www backup@192.168.222.140::www
   gorsyncd init --print /data0/www/www web2:/data0/www
   gorsyncd init --reference > all-keys.yaml`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "print", Usage: "write to standard output instead"},
			&cli.BoolFlag{Name: "reference", Usage: "print a commented configuration with every key"},
		},
		Action: a.init,
	}
}

// initialised is init --json.
type initialised struct {
	File string `json:"file"` // that was written
}

func (a *app) init(c *cli.Context) error {
	if c.Bool("reference") {
		if err := noArgs(c); err != nil {
			return err
		}
		return a.printConfig(config.Reference)
	}
	args := c.Args().Slice()
	if len(args) < 2 {
		return &control.Error{Code: control.CodeUsage, Message: "a source and at least one target are needed", Hint: "gorsyncd init SOURCE TARGET..."}
	}
	text, err := config.Minimal(args[0], args[1:], options(c))
	if err != nil {
		return err
	}
	if c.Bool("print") {
		return a.printConfig(text)
	}
	path := configPath(c)
	if err := writeNew(path, text); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(initialised{path})
	}
	return a.print("wrote %s\nnext: gorsyncd run --config %s\n", path, path)
}

func (a *app) printConfig(text string) error {
	if a.json {
		return a.printJSON(configText{text})
	}
	return a.print("%s", text)
}

// writeNew writes a file that does not exist yet. Its mode leaves out others:
// a configuration names hosts, users and key files.
func writeNew(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make directory of configuration: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if errors.Is(err, fs.ErrExist) {
		return &control.Error{Code: control.CodeInternal, Message: path + " exists and was not touched", Hint: "use --print, or another file with --config", Err: err}
	}
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write configuration: %w", err), os.Remove(path))
	}
	return nil
}
