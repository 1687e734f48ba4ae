package main

import (
	"cmp"
	"embed"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
)

//go:embed docs/*.md
var docs embed.FS

func (a *app) docsCommand() *cli.Command {
	return &cli.Command{
		Name:      "docs",
		Category:  "Setup",
		Usage:     "print a part of the documentation, or list its parts",
		ArgsUsage: "[NAME]",
		Description: `EXAMPLE
   gorsyncd docs
   gorsyncd docs errors | less
   gorsyncd docs migrate-sersync.zh-CN`,
		Action: a.showDocs,
	}
}

func (a *app) showDocs(c *cli.Context) error {
	files, err := fs.Glob(docs, "docs/*.md")
	if err != nil {
		return err
	}
	switch c.NArg() {
	case 0:
		return a.listDocs(files)
	case 1:
		text, err := docs.ReadFile("docs/" + c.Args().First() + ".md")
		if err != nil {
			return &control.Error{Code: control.CodeUsage, Message: "there is no documentation of that name: " + c.Args().First(), Hint: "see gorsyncd docs"}
		}
		return a.print("%s", text)
	}
	return &control.Error{Code: control.CodeUsage, Message: "one name at a time", Hint: "see gorsyncd docs"}
}

// doc is an element of docs --json.
type doc struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

func (a *app) listDocs(files []string) error {
	var list []doc
	wide := 0
	for _, f := range files {
		text, err := docs.ReadFile(f)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(text), "\n")
		name := strings.TrimSuffix(strings.TrimPrefix(f, "docs/"), ".md")
		list = append(list, doc{name, cmp.Or(strings.TrimPrefix(first, "# "), name)})
		wide = max(wide, len(name))
	}
	if a.json {
		return a.printJSON(list)
	}
	for _, d := range list {
		if err := a.print("%-*s  %s\n", wide, d.Name, d.Title); err != nil {
			return err
		}
	}
	return nil
}
