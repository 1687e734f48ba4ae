package sersync

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/draft"
)

// maxDepth is far above the four levels of a real file.
const maxDepth = 50

// element is one element of the file. A nil element has no attributes and no
// children. Names are compared without regard to case, as sersync did.
type element struct {
	name     string
	attrs    map[string]string // names in lower case
	line     int
	children []*element
}

// parse reads a file into its root element.
func parse(f draft.File) (*element, error) {
	data := strings.ToValidUTF8(string(quoted(withoutComments(bytes.TrimPrefix(f.Data, []byte("\xef\xbb\xbf"))))), badByte)
	d := xml.NewDecoder(strings.NewReader(data))
	d.Strict = false
	// The label says ISO-8859-1 whatever the file is in; sersync ignored it.
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	top := &element{}
	stack := []*element{top}
	for {
		line, _ := d.InputPos()
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, syntaxError(f.Name, line, err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			e := &element{name: tok.Name.Local, attrs: map[string]string{}, line: line}
			for _, a := range tok.Attr {
				if name := strings.ToLower(a.Name.Local); !e.has(name) {
					e.attrs[name] = a.Value // of two the first one counted
				}
			}
			above := stack[len(stack)-1]
			above.children = append(above.children, e)
			if stack = append(stack, e); len(stack) > maxDepth {
				return nil, &draft.SyntaxError{File: f.Name, Line: line, Text: "elements lie too deep in each other"}
			}
		case xml.EndElement:
			stack = closed(stack, tok.Name.Local)
		}
	}
	if root := top.child("head"); root != nil {
		return root, nil
	}
	return nil, &draft.SyntaxError{File: f.Name, Line: 1, Text: "there is no <head>: this is no configuration of sersync"}
}

// badByte stands for bytes that are no UTF-8.
const badByte = "\uFFFD"

// closed drops the elements that an end tag closes; one that nobody opened closes
// nothing.
func closed(stack []*element, name string) []*element {
	for i := len(stack) - 1; i > 0; i-- {
		if strings.EqualFold(stack[i].name, name) {
			return stack[:i]
		}
	}
	return stack
}

func syntaxError(file string, line int, err error) error {
	var se *xml.SyntaxError
	if errors.As(err, &se) {
		return &draft.SyntaxError{File: file, Line: se.Line, Text: se.Msg}
	}
	return &draft.SyntaxError{File: file, Line: line, Text: err.Error()}
}

// withoutComments blanks comments, and keeps the lines: those of real files are in
// GBK, and have "--" in them.
func withoutComments(data []byte) []byte {
	out := bytes.Clone(data)
	for at := 0; ; {
		i := bytes.Index(out[at:], []byte("<!--"))
		if i < 0 {
			return out
		}
		i += at
		end := len(out)
		if j := bytes.Index(out[i+4:], []byte("-->")); j >= 0 {
			end = i + 4 + j + 3
		}
		for k := i; k < end; k++ {
			if out[k] != '\n' {
				out[k] = ' '
			}
		}
		at = end
	}
}

// openComments are the lines of comments in which another one begins: their end was
// forgotten.
func openComments(data []byte) []int {
	var lines []int
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte("<!--"))
		if i < 0 {
			return lines
		}
		i += at
		at = len(data)
		if j := bytes.Index(data[i+4:], []byte("-->")); j >= 0 {
			at = i + 4 + j + 3
		}
		if bytes.Contains(data[i+4:at], []byte("<!--")) {
			lines = append(lines, bytes.Count(data[:i], []byte("\n"))+1)
		}
	}
}

// quoted puts the values of attributes in quotes that have none, and escapes what
// must not stand in those that have. All of that sersync read.
func quoted(data []byte) []byte {
	var out []byte
	inTag, quote := false, byte(0)
	for i := 0; i < len(data); i++ {
		b := data[i]
		switch {
		case quote != 0 && b == '<':
			out = append(out, "&lt;"...)
			continue
		case quote != 0 && b == quote:
			quote = 0
		case quote == 0 && inTag && (b == '"' || b == '\''):
			quote = b
		case quote == 0 && b == '<':
			inTag = true
		case quote == 0 && b == '>':
			inTag = false
		case quote == 0 && inTag && b == '=':
			n := bareValue(data[i+1:])
			out = append(append(append(out, '=', '"'), bytes.TrimSpace(data[i+1:i+1+n])...), '"')
			if i += n; n > 0 {
				continue
			}
			out = out[:len(out)-2] // it has quotes
			continue
		}
		out = append(out, b)
	}
	return out
}

// bareValue returns how long a value without quotes is, white space before it
// included; 0 for one that has them.
func bareValue(data []byte) int {
	start := len(data) - len(bytes.TrimLeft(data, " \t\r\n"))
	n := bytes.IndexAny(data[start:], " \t\r\n\"'<>")
	if n <= 0 {
		return 0
	}
	if data[start+n] == '>' && data[start+n-1] == '/' {
		n--
	}
	if n == 0 || bytes.ContainsRune(data[:start], '\n') {
		return 0
	}
	return start + n
}

// child returns the first child of a name, or nil.
func (e *element) child(names ...string) *element {
	for _, name := range names {
		e = e.first(func(c *element) bool { return strings.EqualFold(c.name, name) })
	}
	return e
}

func (e *element) first(is func(*element) bool) *element {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if is(c) {
			return c
		}
	}
	return nil
}

// all returns the children of a name.
func (e *element) all(name string) []*element {
	var list []*element
	if e != nil {
		for _, c := range e.children {
			if strings.EqualFold(c.name, name) {
				list = append(list, c)
			}
		}
	}
	return list
}

// attr returns the value of an attribute, or def where there is none.
func (e *element) attr(name, def string) string {
	if e == nil {
		return def
	}
	if v, ok := e.attrs[strings.ToLower(name)]; ok {
		return v
	}
	return def
}

// has tells whether there is an attribute, by its name in lower case.
func (e *element) has(name string) bool {
	_, ok := e.attrs[name]
	return ok
}

// word is attr for what stood among others on a command line, where space around
// it meant nothing.
func (e *element) word(name, def string) string { return strings.TrimSpace(e.attr(name, def)) }

// on tells whether an element is switched on; def is for one without the switch.
func (e *element) on(def bool) bool {
	if def {
		return e.attr("start", "true") == "true"
	}
	return e.attr("start", "false") == "true"
}

func (e *element) at() int {
	if e == nil {
		return 0
	}
	return e.line
}
