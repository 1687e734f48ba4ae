// Package markdown finds what tests need in the documentation: its fenced
// blocks, with the heading that they stand under.
package markdown

import "strings"

// A Block is what stands between two fences.
type Block struct {
	Info    string // what follows the opening fence: "sh", "sh background", …
	Heading string // the last heading above, without its #
	Line    int    // of the opening fence, from 1
	Text    string // ends with a line feed
}

// Lang is the first word of Info.
func (b Block) Lang() string {
	lang, _, _ := strings.Cut(b.Info, " ")
	return lang
}

const fence = "```"

// Blocks lists the blocks of a text in their order.
func Blocks(text string) []Block {
	var blocks []Block
	var open *Block
	heading := ""
	for i, line := range strings.Split(text, "\n") {
		switch trimmed := strings.TrimSpace(line); {
		case open != nil && trimmed == fence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.Text += line + "\n"
		case strings.HasPrefix(trimmed, fence):
			open = &Block{Info: strings.TrimPrefix(trimmed, fence), Heading: heading, Line: i + 1}
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	return blocks
}

// Prose is the text without its blocks, with as many lines.
func Prose(text string) string {
	lines := strings.Split(text, "\n")
	for _, b := range Blocks(text) {
		for i := range strings.Count(b.Text, "\n") + 2 {
			lines[b.Line-1+i] = ""
		}
	}
	return strings.Join(lines, "\n")
}
