package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/draft"
	"gorsyncd/cmd/gorsyncd/internal/lsyncd"
	"gorsyncd/cmd/gorsyncd/internal/sersync"
)

func (a *app) importSersyncCommand() *cli.Command {
	return &cli.Command{
		Name:      "import-sersync",
		Usage:     "turn configurations of sersync into one of gorsyncd",
		ArgsUsage: "FILE...",
		Description: `Writes the configuration to standard output, and to standard error what works
otherwise than in sersync, what is not needed any more, and what was lost: then
the exit status is 3. Every localpath of every file becomes a source.

EXAMPLE
   gorsyncd config import-sersync /usr/local/sersync/confxml.xml > gorsyncd.yaml`,
		Action: a.importing(func(files []draft.File) (*draft.Result, error) { return sersync.Import(files, 0, "") }),
	}
}

// imported is what an import says with --json.
type imported struct {
	Config string       `json:"config"`
	Notes  []draft.Note `json:"notes"`
	Lost   bool         `json:"lost"`
}

func (a *app) importLsyncdCommand() *cli.Command {
	return &cli.Command{
		Name:      "import-lsyncd",
		Usage:     "turn configurations of lsyncd into one of gorsyncd",
		ArgsUsage: "FILE...",
		Description: `Like import-sersync. The file, which is a program, is run with nothing at hand
but tables, strings and numbers. Functions of your own are reported as lost.

EXAMPLE
   gorsyncd config import-lsyncd /etc/lsyncd/lsyncd.conf.lua > gorsyncd.yaml`,
		Action: a.importing(importLsyncd),
	}
}

// importing prints what an import gives.
func (a *app) importing(read func([]draft.File) (*draft.Result, error)) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := needArgs(c, "a file"); err != nil {
			return err
		}
		res, err := importFiles(c.Args().Slice(), read)
		if err != nil {
			return err
		}
		if a.json {
			err = a.printJSON(imported{string(res.YAML), res.Notes, res.Lost()})
		} else {
			err = a.print("%s", res.YAML)
			for _, n := range res.Notes {
				a.message("%s", n)
			}
		}
		if err == nil && res.Lost() {
			return silent(control.ExitNotInSync)
		}
		return err
	}
}

func importLsyncd(files []draft.File) (*draft.Result, error) {
	return lsyncd.Import(files, func(name string) (string, error) {
		data, err := readSmall(name)
		return string(data), err
	})
}

// importFiles reads configurations of another program. One that is none makes the
// configuration invalid.
func importFiles(list []string, read func([]draft.File) (*draft.Result, error)) (*draft.Result, error) {
	var files []draft.File
	for _, name := range list {
		data, err := readSmall(name)
		if err != nil {
			return nil, err
		}
		files = append(files, draft.File{Name: name, Data: data})
	}
	res, err := read(files)
	var bad *draft.SyntaxError
	if errors.As(err, &bad) {
		return nil, &control.Error{Code: control.CodeConfig, Message: bad.Error(), Err: err}
	}
	return res, err
}

func readSmall(name string) ([]byte, error) {
	const most = 4 << 20
	f, err := os.Open(name)
	if err != nil {
		return nil, &control.Error{Code: control.CodeConfig, Message: err.Error(), Err: err}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("%s is larger than %d MiB", name, most>>20)
	}
	if err != nil {
		return nil, &control.Error{Code: control.CodeConfig, Message: err.Error(), Err: err}
	}
	return data, nil
}

// loadSersync is loadTrusted for configurations of sersync. One of which something
// would be lost is refused: what it excluded, for instance, would be sent.
func loadSersync(c *cli.Context, files []string) (*config.Config, *draft.Result, error) {
	for _, f := range files {
		if err := trusted(f); err != nil {
			return nil, nil, err
		}
	}
	if err := checkLogFlags(c); err != nil {
		return nil, nil, err
	}
	workers := min(c.Int(flagWorkers), 64)
	res, err := importFiles(files, func(files []draft.File) (*draft.Result, error) {
		return sersync.Import(files, workers, c.String(flagPlugin))
	})
	if err != nil {
		return nil, nil, err
	}
	if res.Lost() {
		var lost []string
		for _, n := range res.Notes {
			if n.Kind == draft.Lost {
				lost = append(lost, n.String())
			}
		}
		return nil, nil, &control.Error{Code: control.CodeConfig, Message: strings.Join(lost, "\n"),
			Hint: "gorsyncd does not run with what is lost; write a configuration and edit it: gorsyncd config import-sersync " + strings.Join(files, " ") + " > gorsyncd.yaml"}
	}
	conf, err := config.Parse(strings.Join(files, "+"), res.YAML, options(c))
	return conf, res, err
}
