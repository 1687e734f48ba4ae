package page

import (
	"html/template"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"gorsyncd/cmd/gorsyncd/docs"
)

// ErrorDoc is what the guide says of an error id.
type ErrorDoc struct {
	ID    string
	Paras []template.HTML
}

// errorDocs are the sections of the guide to errors, under their ids. They are read
// when they are first asked for, as all in this package that takes its time: each
// command is a process of this program, and only the daemon shows pages.
var errorDocs = sync.OnceValue(func() []ErrorDoc {
	b, err := docs.FS.ReadFile("errors.md")
	if err != nil {
		panic(err) // embedded
	}
	return parseErrors(string(b))
})

var (
	aSection = regexp.MustCompile(`(?m)^##+ (.*)$`)
	anID     = regexp.MustCompile(`^[EGW]-[A-Z0-9-]+$`)
	aCode    = regexp.MustCompile("`([^`]+)`")
	aBold    = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	anItalic = regexp.MustCompile(`\*([^*]+)\*`)
	aLink    = regexp.MustCompile(`\[([^\]]+)\]\([^)]*\)`)
)

// parseErrors takes the paragraphs below each heading that is an id. The guide
// uses code, bold and links within them, and nothing else.
func parseErrors(text string) []ErrorDoc {
	var out []ErrorDoc
	at := aSection.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		id, end := text[m[2]:m[3]], len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		if !anID.MatchString(id) {
			continue
		}
		d := ErrorDoc{ID: id}
		for para := range strings.SplitSeq(strings.TrimSpace(text[m[1]:end]), "\n\n") {
			d.Paras = append(d.Paras, paragraph(para))
		}
		out = append(out, d)
	}
	return out
}

func paragraph(text string) template.HTML {
	h := template.HTMLEscapeString(text)
	h = aLink.ReplaceAllString(h, "$1")
	h = aBold.ReplaceAllString(h, "<b>$1</b>")
	h = aCode.ReplaceAllString(h, "<code>$1</code>")
	h = anItalic.ReplaceAllString(h, "<i>$1</i>")
	return template.HTML(h) // of the embedded guide, escaped above
}

// errors serves /errors: what each id means, and its remedy. It tells nothing of
// this daemon.
func (h *Handler) errors(w http.ResponseWriter, r *http.Request) {
	h.render(w, http.StatusOK, "errors", struct {
		*paint
		Docs []ErrorDoc
	}{h.paint(w, r), errorDocs()})
}
