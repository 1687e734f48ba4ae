// Package names prints file names, which are bytes and may be hostile.
//
// A name can hold terminal escapes, newlines or invalid UTF-8. Printable makes
// it safe for a terminal or a log line; Path is its lossless form in JSON.
package names

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns s with everything that could move a cursor, change a
// colour, start a new line or reorder text replaced by a Go-style escape.
// Bytes that are no UTF-8 become \xNN. A backslash is doubled only in a name
// that needs escapes, so that ordinary names come out as they are.
func Printable(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x`)
			b.WriteString(hex(s[i]))
		case r == '\\':
			b.WriteString(`\\`)
		case safe(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		i += n
	}
	return b.String()
}

// Shorten cuts the printable form of s to at most max runes, keeping the end,
// where file names differ.
func Shorten(s string, max int) string {
	p := []rune(Printable(s))
	if len(p) <= max || max < 1 {
		return string(p)
	}
	return "…" + string(p[len(p)-max+1:])
}

func clean(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !safe(r) {
			return false
		}
	}
	return true
}

// safe refuses controls (C0, C1, DEL), the format characters that reorder or
// hide text, and line and paragraph separators.
func safe(r rune) bool {
	return r == ' ' || unicode.IsPrint(r)
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}
