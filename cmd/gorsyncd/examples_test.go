package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/markdown"
)

// guides are the README and every page of docs, present and future, by name.
func guides(t *testing.T) map[string]string {
	t.Helper()
	files, err := fs.Glob(docs, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"README.md": readDoc(t, "../../README.md")}
	for _, f := range files {
		all["docs/"+f] = readDoc(t, "docs/"+f)
	}
	if len(all) < 8 {
		t.Fatalf("only %d pages", len(all))
	}
	return all
}

// TestExamplesParse: every YAML block is a configuration, or a part of one, that
// the program takes.
func TestExamplesParse(t *testing.T) {
	n := 0
	for name, text := range guides(t) {
		for _, b := range markdown.Blocks(text) {
			if b.Lang() != "yaml" {
				continue
			}
			n++
			if err := parseExample(b.Text); err != nil {
				t.Errorf("%s:%d: %v", name, b.Line, err)
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d blocks of YAML found", n)
	}
}

// parseExample puts what is left out around a part of a configuration.
func parseExample(text string) error {
	const source = "sources: [{path: /data0/example, remotes: [/srv/example]}]\n"
	indent := func(s, by string) string {
		return by + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n"+by) + "\n"
	}
	var first error
	for _, whole := range []string{
		text,
		text + source,
		source + "defaults:\n" + indent(text, "  "),
		"sources:\n  - path: /data0/example\n    remotes: [/srv/example]\n" + indent(text, "    "),
		"sources:\n  - path: /data0/example\n    remotes:\n" + indent(text, "      "),
		"sources:\n  - path: /data0/example\n    remotes:\n      - target: example.com:/srv\n" + indent(text, "        "),
		"sources:\n  - path: /data0/example\n    sinks:\n      - name: example\n" + indent(text, "        "),
	} {
		_, err := config.Parse("gorsyncd.yaml", []byte(whole), config.Options{})
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

var (
	// A command in a block, behind a prompt or a pipe, or in `code`.
	blockCommand = regexp.MustCompile(`(?m)(?:^|[|&;(!]|\$\(|\bsudo )\s*(?:\$ )?((?:\S*/)?gorsyncd (?:[^|&;)>\n]|\\\n)*)`)
	promptLine   = regexp.MustCompile(`(?m)^\$ (?:.*\\\n)*.*$`)
	inlineCode   = regexp.MustCompile("`((?:sudo )?gorsyncd [^`]+)`")
	shellWord    = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
)

// mentions lists the command lines of gorsyncd in a page.
func mentions(text string) []string {
	var found []string
	for _, b := range markdown.Blocks(text) {
		if l := b.Lang(); l != "sh" && l != "console" && l != "" && l != "text" {
			continue
		}
		text := b.Text
		if prompts := promptLine.FindAllString(text, -1); prompts != nil {
			text = strings.Join(prompts, "\n") // the rest is what they print
		}
		for _, m := range blockCommand.FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
	}
	for _, m := range inlineCode.FindAllStringSubmatch(strings.ReplaceAll(markdown.Prose(text), "\n", " "), -1) {
		found = append(found, m[1])
	}
	return found
}

// TestMentionedCommandsExist: what a page tells people to type is there, with its
// flags.
func TestMentionedCommandsExist(t *testing.T) {
	a := newApp(&bytes.Buffer{}, &bytes.Buffer{})
	n := 0
	for name, text := range guides(t) {
		for _, line := range mentions(text) {
			n++
			if wrong := unknown(a, line); wrong != "" {
				t.Errorf("%s: %q: there is no %s", name, line, wrong)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d commands found", n)
	}
}

// forPrograms are no commands for people; rsync runs them.
var forPrograms = []string{"tls-connect"}

// unknown is the first command or flag of a line that does not exist.
func unknown(a *app, line string) string {
	line, _, _ = strings.Cut(line, " #")
	line = regexp.MustCompile(`\[|\]|…|\.\.\.`).ReplaceAllString(line, " ")
	words := shellWord.FindAllString(strings.ReplaceAll(line, "\\\n", " "), -1)[1:]
	if len(words) > 0 && words[0] == "sudo" || len(words) == 0 {
		return ""
	}
	commands, flags := a.cli.Commands, slices.Clone(a.cli.Flags)
	for i, w := range words {
		switch {
		case w == "--":
			return ""
		case strings.HasPrefix(w, "-"):
			flag, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
			if flag != "help" && flag != "h" && find(flags, flag) == nil {
				return w
			}
		case slices.Contains(forPrograms, w):
			return ""
		case regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(w) && (i == 0 || len(commands) > 0):
			c := called(commands, w)
			if c == nil {
				return w
			}
			commands, flags = c.Subcommands, append(flags, c.Flags...)
		default:
			commands = nil // arguments follow
		}
	}
	return ""
}

func called(list []*cli.Command, name string) *cli.Command {
	for _, c := range list {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// TestUnknownIsNoticed: the test above finds what it is to find.
func TestUnknownIsNoticed(t *testing.T) {
	a := newApp(&bytes.Buffer{}, &bytes.Buffer{})
	for line, want := range map[string]string{
		"gorsyncd status --watch 'www/*'":             "",
		"gorsyncd stauts":                             "stauts",
		"gorsyncd status --wacth":                     "--wacth",
		"gorsyncd journal inspect --state failing":    "",
		"gorsyncd journal tial":                       "tial",
		"gorsyncd check -w 60s -c 10m":                "",
		"gorsyncd run -o confxml.xml":                 "",
		"gorsyncd --config /etc/g.yaml sync www/nas":  "",
		"gorsyncd flush [PATH…] [--timeout=5s]":       "",
		"gorsyncd status [--json] [--frob]":           "--frob",
		"gorsyncd sync --chekcsum \\\n  www/nas":      "--chekcsum",
		"gorsyncd sync www/nas --path img --checksum": "",
	} {
		if got := unknown(a, line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	page := "Use `gorsyncd one`.\n\n```sh\nx | gorsyncd two\nif ! gorsyncd three; then\n```\n```console\n$ gorsyncd four -x   # why\ngorsyncd six is printed\n```\n```yaml\nrun: gorsyncd five\n```\n"
	if got := mentions(page); len(got) != 4 {
		t.Errorf("found %q", got)
	}
}

var pageLink = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)\s]*)?\)`)

// TestLinksLead: to files that are there, and to headings in them.
func TestLinksLead(t *testing.T) {
	for name, text := range guides(t) {
		dir := "."
		if name == "README.md" {
			dir = "../.."
		}
		for _, m := range pageLink.FindAllStringSubmatch(markdown.Prose(text), -1) {
			file := filepath.Join(dir, filepath.Dir(name), m[1])
			linked, err := os.ReadFile(file)
			if err != nil {
				if info, dirErr := os.Stat(file); dirErr == nil && info.IsDir() {
					continue
				}
				t.Errorf("%s links to %s: %v", name, m[1], err)
				continue
			}
			if m[2] != "" && strings.HasSuffix(m[1], ".md") && !slices.Contains(anchors(string(linked)), m[2]) {
				t.Errorf("%s links to %s%s, and there is no such heading", name, m[1], m[2])
			}
		}
	}
}

// anchors are the headings of a page as links name them.
func anchors(text string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(markdown.Prose(text), -1) {
		a := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, "#"+strings.ReplaceAll(a, " ", "-"))
	}
	return list
}

// TestClaimsHaveTheirTests: a test that the README names is in the file that it
// links to, and each row of the comparison names one, or is about what
// gorsyncd does not have.
func TestClaimsHaveTheirTests(t *testing.T) {
	readme := readDoc(t, "../../README.md")
	links := regexp.MustCompile(`\[(Test\w+)\]\(([^)]+)\)`)
	all := links.FindAllStringSubmatch(readme, -1)
	for _, m := range all {
		src := readDoc(t, filepath.Join("../..", m[2]))
		if !strings.Contains(src, "func "+m[1]+"(t *testing.T)") {
			t.Errorf("%s has no %s", m[2], m[1])
		}
	}
	if len(all) < 40 {
		t.Errorf("only %d tests are named", len(all))
	}
	_, table, _ := strings.Cut(readme, "\n## Compared\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := 0
	for _, line := range strings.Split(table, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		if len(cells) < 5 || strings.HasPrefix(line, "| |") || strings.HasPrefix(line, "|---") {
			continue
		}
		rows++
		peers, ours := strings.Join(cells[1:4], "|"), cells[4]
		if !links.MatchString(ours) && !strings.Contains(peers, "better") {
			t.Errorf("no test shows what the row says of gorsyncd: %s", line)
		}
	}
	if rows < 25 {
		t.Errorf("only %d rows found", rows)
	}
}
