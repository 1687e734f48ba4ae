package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	guidebook "gorsyncd/cmd/gorsyncd/docs"
	"gorsyncd/cmd/gorsyncd/internal/control"
)

// The guides, and the schemas of what the commands print with --json.
var docs = guidebook.FS

func (a *app) docsCommand() *cli.Command {
	return &cli.Command{
		Name:      "docs",
		Category:  "Setup",
		Usage:     "print a part of the documentation, or list its parts",
		ArgsUsage: "[NAME]",
		Description: `The parts called schema/… are JSON Schemas of what a command prints with --json.

EXAMPLE
   gorsyncd docs
   gorsyncd docs errors | less
   gorsyncd docs migrate-sersync.zh-CN
   gorsyncd docs schema/status > status.schema.json`,
		Action: a.showDocs,
	}
}

func (a *app) showDocs(c *cli.Context) error {
	list, err := listDocs()
	if err != nil {
		return err
	}
	switch c.NArg() {
	case 0:
		return a.printDocs(list)
	case 1:
		return a.printDoc(list, c.Args().First())
	}
	return &control.Error{Code: control.CodeUsage, Message: "one name at a time", Hint: "see gorsyncd docs"}
}

// doc is an element of docs --json.
type doc struct {
	Name  string `json:"name"`
	Title string `json:"title"`

	file string
}

// docText is docs NAME --json.
type docText struct {
	doc
	Text string `json:"text"`
}

// listDocs are all parts, guides first.
func listDocs() ([]doc, error) {
	list := []doc{}
	for _, kind := range []string{"*.md", "openapi.json", "schema/*.json"} {
		files, err := fs.Glob(docs, kind)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			text, err := docs.ReadFile(f)
			if err != nil {
				return nil, err
			}
			name := strings.TrimSuffix(f, path.Ext(f))
			list = append(list, doc{name, cmp.Or(titleOf(f, text), name), f})
		}
	}
	return list, nil
}

func titleOf(file string, text []byte) string {
	if path.Ext(file) == ".json" {
		var s struct {
			Title string
			Info  struct{ Description string } // of OpenAPI
		}
		if json.Unmarshal(text, &s) != nil {
			return ""
		}
		about, _, _ := strings.Cut(s.Info.Description, ",")
		return cmp.Or(s.Title, about)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimPrefix(first, "# ")
}

func (a *app) printDocs(list []doc) error {
	if a.json {
		return a.printJSON(list)
	}
	wide := 0
	for _, d := range list {
		wide = max(wide, len(d.Name))
	}
	for _, d := range list {
		if err := a.print("%-*s  %s\n", wide, d.Name, d.Title); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printDoc(list []doc, name string) error {
	i := slices.IndexFunc(list, func(d doc) bool { return d.Name == name })
	if i < 0 {
		known := make([]string, 0, len(list))
		for _, d := range list {
			known = append(known, d.Name)
		}
		return &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("there is no documentation called %q", name), Hint: suggest(name, known)}
	}
	text, err := docs.ReadFile(list[i].file)
	if err != nil {
		return fmt.Errorf("read documentation: %w", err)
	}
	if a.json {
		return a.printJSON(docText{list[i], string(text)})
	}
	return a.print("%s", text)
}

// openAPIText is the description of the API, which is embedded.
func openAPIText() []byte {
	text, err := docs.ReadFile("openapi.json")
	if err != nil {
		return nil
	}
	return text
}
