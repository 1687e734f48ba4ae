package names

import (
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// SafeJSON escapes in a JSON document what Printable would: encoding/json
// leaves control characters above ASCII and those that reorder text as they are.
// It means the same to who parses it.
func SafeJSON(doc []byte) []byte {
	for i := 0; i < len(doc); {
		r, n := utf8.DecodeRune(doc[i:])
		if escapeInJSON(r) {
			return escapeRest(doc, i)
		}
		i += n
	}
	return doc
}

// escapeInJSON is for runes above ASCII: below it encoding/json has done it, but
// for DEL.
func escapeInJSON(r rune) bool { return r == 0x7f || r > 0x7f && r != utf8.RuneError && !safe(r) }

func escapeRest(doc []byte, from int) []byte {
	out := append([]byte(nil), doc[:from]...)
	for _, r := range string(doc[from:]) {
		switch {
		case !escapeInJSON(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// JSONWriter passes on documents made safe. Each Write is to be of whole ones,
// as json.Encoder and slog do it.
func JSONWriter(w io.Writer) io.Writer { return jsonWriter{w} }

type jsonWriter struct{ w io.Writer }

func (j jsonWriter) Write(doc []byte) (int, error) {
	if _, err := j.w.Write(SafeJSON(doc)); err != nil {
		return 0, err
	}
	return len(doc), nil
}
