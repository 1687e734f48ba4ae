package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
)

//go:embed packaging/completion
var completionScripts embed.FS

var shells = []string{"bash", "zsh", "fish"}

func (a *app) completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Category:  "Setup",
		Usage:     "print a script that completes commands, flags and the names of remotes in a shell",
		ArgsUsage: "SHELL",
		Description: `SHELL is bash, zsh or fish. The packages install the scripts where the shells
look for them.

EXAMPLE
   source <(gorsyncd completion bash)
   gorsyncd completion zsh > ~/.zfunc/_gorsyncd
   gorsyncd completion fish > ~/.config/fish/completions/gorsyncd.fish`,
		Action: a.completion,
	}
}

func (a *app) completion(c *cli.Context) error {
	if err := needArgs(c, "the name of a shell"); err != nil {
		return err
	}
	shell := c.Args().First()
	if c.NArg() > 1 {
		return &control.Error{Code: control.CodeUsage, Message: "one shell at a time", Hint: "see --help"}
	}
	if !slices.Contains(shells, shell) {
		return &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("there is no completion for %q", shell), Hint: suggest(shell, shells)}
	}
	script, err := completionScripts.ReadFile("packaging/completion/gorsyncd." + shell)
	if err != nil {
		return fmt.Errorf("read the script: %w", err)
	}
	if a.json {
		return a.printJSON(completionScript{shell, string(script)})
	}
	return a.print("%s", script)
}

// completionScript is completion --json.
type completionScript struct {
	Shell  string `json:"shell"`
	Script string `json:"script"`
}

// suggest is the hint for a word that is not among the known ones.
func suggest(word string, known []string) string {
	if best := config.Closest(word, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known are " + strings.Join(known, ", ")
}
