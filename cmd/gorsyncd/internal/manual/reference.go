package manual

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Places in the head that Reference fills.
const (
	PlaceCommands = "<!-- commands -->\n"
	PlaceFlags    = "<!-- flags -->\n"
	PlaceExits    = "<!-- exit status -->\n"
)

// Exit is an exit status and what it means.
type Exit struct {
	Code int
	What string
}

// Reference is head with every command, every flag and every exit status of app at
// their places.
func Reference(app *cli.App, exits []Exit, head string) (string, error) {
	var status strings.Builder
	status.WriteString("| status | meaning |\n|---|---|\n")
	for _, e := range exits {
		fmt.Fprintf(&status, "| `%d` | %s. |\n", e.Code, sentence(e.What))
	}
	var commands strings.Builder
	for _, category := range categories(app.Commands) {
		fmt.Fprintf(&commands, "## %s\n\n", category)
		for _, c := range app.Commands {
			if c.Category == category && !c.Hidden {
				command(&commands, app.Name, c)
			}
		}
	}
	for place, text := range map[string]string{PlaceCommands: commands.String(), PlaceFlags: flags(app.Flags), PlaceExits: status.String()} {
		if strings.Count(head, place) != 1 {
			return "", fmt.Errorf("the head of the reference lacks the place %q", place)
		}
		head = strings.Replace(head, place, text, 1)
	}
	return strings.TrimRight(head, "\n") + "\n", nil
}

func categories(cmds []*cli.Command) []string {
	var out []string
	for _, c := range cmds {
		if !c.Hidden && !slices.Contains(out, c.Category) {
			out = append(out, c.Category)
		}
	}
	return out
}

// command writes a command and those below it.
func command(b *strings.Builder, parent string, c *cli.Command) {
	name := parent + " " + c.Name
	if len(c.Subcommands) > 0 {
		if text, _ := split(c.Description); text != "" {
			fmt.Fprintf(b, "### %s\n\n%s.\n\n%s\n\n", name, escape(sentence(c.Usage)), text)
		}
		for _, sub := range c.Subcommands {
			if !sub.Hidden {
				command(b, name, sub)
			}
		}
		return
	}
	usage := name
	if c.ArgsUsage != "" {
		usage += " " + c.ArgsUsage
	}
	if len(visible(c.Flags)) > 0 {
		usage += " [FLAGS]"
	}
	fmt.Fprintf(b, "### %s\n\n`%s`\n\n%s.\n\n", name, usage, escape(sentence(c.Usage)))
	text, example := split(c.Description)
	if text != "" {
		fmt.Fprintf(b, "%s\n\n", text)
	}
	if f := flags(c.Flags); f != "" {
		fmt.Fprintf(b, "%s\n", f)
	}
	if example != "" {
		fmt.Fprintf(b, "```sh\n%s```\n\n", example)
	}
}

// split takes the examples out of a description, and makes Markdown of the rest:
// what is indented is code.
func split(description string) (text, example string) {
	head, tail, _ := strings.Cut("\n"+description, "\nEXAMPLE\n")
	var out, ex strings.Builder
	code := false
	for line := range strings.Lines(strings.Trim(head, "\n") + "\n") {
		indented := strings.HasPrefix(line, "   ")
		if indented != code && strings.TrimSpace(line) != "" {
			out.WriteString("```\n")
			code = indented
		}
		if code {
			out.WriteString(strings.TrimPrefix(line, "   "))
		} else {
			out.WriteString(escape(line))
		}
	}
	if code {
		out.WriteString("```\n")
	}
	for line := range strings.Lines(tail) {
		command, indented := strings.CutPrefix(line, "   ")
		if !indented {
			break // what is said to every command
		}
		ex.WriteString(command)
	}
	if s := ex.String(); s != "" && !strings.HasSuffix(s, "\n") {
		ex.WriteString("\n")
	}
	return strings.TrimSpace(out.String()), ex.String()
}

func visible(all []cli.Flag) []cli.DocGenerationFlag {
	var out []cli.DocGenerationFlag
	for _, f := range all {
		v, hides := f.(cli.VisibleFlag)
		if d, ok := f.(cli.DocGenerationFlag); ok && (!hides || v.IsVisible()) {
			out = append(out, d)
		}
	}
	return out
}

// flags is a table, "" without any.
func flags(all []cli.Flag) string {
	shown := visible(all)
	if len(shown) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("| flag | meaning |\n|---|---|\n")
	for _, f := range shown {
		usage, value := f.GetUsage(), ""
		if before, rest, ok := strings.Cut(usage, "`"); ok {
			word, after, _ := strings.Cut(rest, "`")
			usage, value = before+word+after, word
		} else if f.TakesValue() {
			value = "VALUE"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", spellings(f.Names(), value), strings.ReplaceAll(escape(details(f, usage)), "|", `\|`))
	}
	return b.String()
}

// spellings: --timeout TIME, -t.
func spellings(names []string, value string) string {
	var out []string
	for i, n := range names {
		dashes := "--"
		if len(n) == 1 {
			dashes = "-"
		}
		n = dashes + n
		if i == 0 && value != "" {
			n += " " + value
		}
		out = append(out, n)
	}
	return strings.Join(out, ", ")
}

func details(f cli.DocGenerationFlag, usage string) string {
	s := sentence(usage)
	if d := f.GetDefaultText(); d != "" && d != "false" && d != "0" && !strings.Contains(usage, "default") {
		s += fmt.Sprintf(" (default %s)", strings.Trim(strings.TrimSuffix(d, "0s"), `"`))
	}
	for _, e := range f.GetEnvVars() {
		s += fmt.Sprintf(" (also %s)", e)
	}
	return s + "."
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	first, _, _ := strings.Cut(s, " ")
	if strings.ToUpper(first) == first || strings.HasPrefix(first, "-") {
		return s // a placeholder, a flag or a value
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// escape keeps text from being taken for Markdown.
func escape(s string) string { return strings.NewReplacer("*", `\*`, "<", `\<`).Replace(s) }
