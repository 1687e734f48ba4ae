package manual

import (
	"fmt"
	"regexp"
	"strings"
)

// Page is a page of the manual.
type Page struct {
	Name    string // gorsyncd
	Section int
	Date    string // 2026-01-31
	Title   string // shown at the top
	Summary string // behind the name
	SeeAlso string // Markdown
}

// Roff is the page made of Markdown. The first heading is the title, and what
// stands below it before the next is the description.
func (p Page) Roff(md string) string {
	r := &roff{}
	fmt.Fprintf(&r.out, ".\\\" Generated: see go generate ./cmd/gorsyncd\n.TH %s %d %q \"gorsyncd\" %q\n", strings.ToUpper(p.Name), p.Section, p.Date, p.Title)
	fmt.Fprintf(&r.out, ".nr HY 0\n.ad l\n.SH NAME\n%s \\- %s\n", inline(p.Name), inline(p.Summary))
	r.section = true
	for line := range strings.Lines(md) {
		r.line(strings.TrimRight(line, "\n"))
	}
	r.end()
	if p.SeeAlso != "" {
		fmt.Fprintf(&r.out, ".SH SEE ALSO\n%s\n", inline(p.SeeAlso))
	}
	return r.out.String()
}

// roff collects lines to blocks.
type roff struct {
	out     strings.Builder
	para    []string // lines of the paragraph or item under way
	item    bool     // it is one of a list
	code    bool
	table   int  // rows of the table so far
	section bool // nothing stands below the heading yet: it needs no .PP
}

var heading = regexp.MustCompile(`^(#+) (.*)`)

func (r *roff) line(s string) {
	switch m := heading.FindStringSubmatch(s); {
	case strings.HasPrefix(s, "```"):
		r.fence()
	case r.code:
		r.out.WriteString(codeLine(s) + "\n")
	case m != nil:
		r.end()
		r.heading(len(m[1]), m[2])
	case strings.HasPrefix(s, "|"):
		if r.table == 0 {
			r.end()
		}
		r.row(s)
	case strings.TrimSpace(s) == "":
		r.end()
	case strings.HasPrefix(s, "- "):
		r.end()
		r.item = true
		r.para = []string{s[2:]}
	default:
		r.para = append(r.para, strings.TrimSpace(s))
	}
}

func (r *roff) heading(level int, text string) {
	switch level {
	case 1:
		r.out.WriteString(".SH DESCRIPTION\n")
	case 2:
		fmt.Fprintf(&r.out, ".SH %s\n", strings.ToUpper(inline(text)))
	default:
		fmt.Fprintf(&r.out, ".SS %s\n", inline(text))
	}
	r.section = true
}

func (r *roff) fence() {
	if r.code {
		r.out.WriteString(".EE\n.RE\n")
		r.code = false
		return
	}
	r.end()
	if !r.section {
		r.out.WriteString(".PP\n")
	}
	r.out.WriteString(".RS 4\n.EX\n")
	r.code, r.section = true, false
}

// row is a tagged paragraph. Between the first cell and the last, if there is
// something, is a default.
func (r *roff) row(s string) {
	r.table++
	if r.table <= 2 {
		return // the head of the table
	}
	cells := strings.Split(strings.Trim(strings.ReplaceAll(s, `\|`, "\x00"), "| "), "|")
	for i := range cells {
		cells[i] = inline(strings.TrimSpace(strings.ReplaceAll(cells[i], "\x00", "|")))
	}
	fmt.Fprintf(&r.out, ".TP\n%s", guard(cells[0]))
	if len(cells) > 2 && cells[1] != "" {
		fmt.Fprintf(&r.out, "  (%s)", cells[1])
	}
	fmt.Fprintf(&r.out, "\n%s\n", guard(cells[len(cells)-1]))
	r.section = false
}

// end writes the block that is complete.
func (r *roff) end() {
	r.table = 0
	if len(r.para) == 0 {
		return
	}
	switch {
	case r.item:
		r.out.WriteString(".IP \\(bu 2\n")
	case !r.section:
		r.out.WriteString(".PP\n")
	}
	for line := range strings.SplitSeq(inline(strings.Join(r.para, "\n")), "\n") {
		r.out.WriteString(guard(line) + "\n")
	}
	r.para, r.item, r.section = nil, false, false
}

// guard keeps a line of text from being taken for a request.
func guard(s string) string {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + s
	}
	return s
}

func codeLine(s string) string {
	return guard(strings.ReplaceAll(plain(s), "-", `\-`))
}

var (
	link   = regexp.MustCompile(`\[((?:[^][]|\[[^]]*\])*)\]\(([^)\s]*)\)`)
	span   = regexp.MustCompile("(?s)``.+?``|`[^`]+`")
	bold   = regexp.MustCompile(`(?s)\*\*(.+?)\*\*`)
	italic = regexp.MustCompile(`(?s)(^|[\s(])\*([^*\s][^*]*)\*`)
)

// inline is running text. Code is set aside first: nothing in it is Markdown.
func inline(s string) string {
	var codes []string
	s = span.ReplaceAllStringFunc(s, func(c string) string {
		codes = append(codes, strings.TrimSpace(strings.Trim(c, "`")))
		return fmt.Sprintf("\x01%d\x02", len(codes)-1)
	})
	s = link.ReplaceAllString(s, "$1")
	s = strings.NewReplacer(`\*`, "\x03", `\<`, "<").Replace(s)
	s = bold.ReplaceAllString(s, "\x04$1\x06")
	s = italic.ReplaceAllString(s, "$1\x05$2\x06")
	s = plain(s)
	s = strings.NewReplacer("\x03", "*", "\x04", `\fB`, "\x05", `\fI`, "\x06", `\fR`).Replace(s)
	for i, c := range codes {
		c = `\fB` + strings.ReplaceAll(plain(c), "-", `\-`) + `\fR`
		s = strings.ReplaceAll(s, fmt.Sprintf("\x01%d\x02", i), strings.ReplaceAll(c, "\n", " "))
	}
	return s
}

// plain is text without anything that roff would take for an escape, in ASCII.
func plain(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '\\':
			b.WriteString(`\e`)
		case named[c] != "":
			b.WriteString(named[c])
		case c > 0x7e:
			fmt.Fprintf(&b, `\[u%04X]`, c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

var named = map[rune]string{'…': "...", '–': `\(en`, '—': `\(em`, '→': `\(->`, 'µ': `\(mc`, '×': `\(mu`, '´': `\(aa`, '`': `\(ga`, '~': `\(ti`, '^': `\(ha`}
