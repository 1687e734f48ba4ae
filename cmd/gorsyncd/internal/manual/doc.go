// Package manual makes the command reference of the definition of the command
// line, and man pages of Markdown.
//
//	md := manual.Reference(app, head)          // docs/cli.md
//	page := manual.Page{Name: "gorsyncd", Section: 8, …}.Roff(md)
//
// Only the generator and its test use it. The library's own ToMan and ToMarkdown
// were tried and rejected: they know neither our examples nor what a command takes,
// and tables become unreadable.
//
// Of Markdown it knows what our guides use: headings, paragraphs, lists, code
// blocks, tables, `code`, **bold**, *emphasis* and links. A row of a table becomes a
// paragraph with its first cell as the tag.
package manual
