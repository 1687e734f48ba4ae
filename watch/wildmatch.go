package watch

import "strings"

// wildResult is the outcome of matching one pattern against one text. The two
// kinds of abort end the search of an enclosing star early: without them a
// pattern with many stars would take exponential time.
type wildResult int8

const (
	noMatch wildResult = iota
	matched
	abortAll        // the text is too short for the rest of the pattern
	abortToStarStar // a single star ran into a slash
)

// wild matches rsync's wildcards: "?" and "*" stop at a slash, "**" does not,
// "[...]" is a class that never matches a slash, a backslash makes the next
// byte literal. Texts are bytes.
func wild(p, text string) wildResult {
	for ; p != ""; p, text = p[1:], text[1:] {
		if text == "" && p[0] != '*' {
			return abortAll
		}
		switch p[0] {
		case '*':
			return star(p, text)
		case '?':
			if text[0] == '/' {
				return noMatch
			}
		case '[':
			rest, ok, valid := class(p[1:], text[0])
			if !valid {
				return abortAll
			}
			if !ok || text[0] == '/' {
				return noMatch
			}
			p = rest
		case '\\':
			p = p[1:]
			if p == "" || p[0] != text[0] {
				return noMatch
			}
		default:
			if p[0] != text[0] {
				return noMatch
			}
		}
	}
	if text != "" {
		return noMatch
	}
	return matched
}

// star matches a pattern that begins with one or more stars.
func star(p, text string) wildResult {
	rest := strings.TrimLeft(p, "*")
	slashes := len(p)-len(rest) > 1
	if rest == "" {
		if !slashes && strings.IndexByte(text, '/') >= 0 {
			return noMatch
		}
		return matched
	}
	for ; text != ""; text = text[1:] {
		if r := wild(rest, text); r != noMatch {
			if !slashes || r != abortToStarStar {
				return r
			}
		} else if !slashes && text[0] == '/' {
			return abortToStarStar
		}
	}
	return abortAll
}

// class matches ch against the class whose text follows the "[". rest begins
// with the closing bracket. A class that does not end is not valid.
func class(p string, ch byte) (rest string, ok, valid bool) {
	negate := p != "" && (p[0] == '!' || p[0] == '^')
	if negate {
		p = p[1:]
	}
	var prev byte
	hit := false
	for first := true; ; first = false {
		if p == "" {
			return "", false, false
		}
		if p[0] == ']' && !first {
			return p, hit != negate, true
		}
		c := p[0]
		switch {
		case c == '\\':
			if len(p) < 2 {
				return "", false, false
			}
			p = p[1:]
			c = p[0]
			hit = hit || ch == c
		case c == '-' && prev != 0 && len(p) > 1 && p[1] != ']':
			p = p[1:]
			if p[0] == '\\' {
				if p = p[1:]; p == "" {
					return "", false, false
				}
			}
			hit = hit || prev <= ch && ch <= p[0]
			c = 0 // a range end begins no other range
		case c == '[' && len(p) > 1 && p[1] == ':':
			end := strings.IndexByte(p[2:], ']')
			if end < 0 {
				return "", false, false
			}
			if end == 0 || p[2+end-1] != ':' {
				hit = hit || ch == '['
				break
			}
			in, known := named(p[2:2+end-1], ch)
			if !known {
				return "", false, false
			}
			hit = hit || in
			p = p[2+end:]
			c = 0
		default:
			hit = hit || ch == c
		}
		prev = c
		p = p[1:]
	}
}

// named is [:name:] in the C locale, in which rsync is run.
func named(name string, c byte) (in, known bool) {
	upper, lower, digit := 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9'
	graph := '!' <= c && c <= '~'
	switch name {
	case "alnum":
		return upper || lower || digit, true
	case "alpha":
		return upper || lower, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !upper && !lower && !digit, true
	case "space":
		return c == ' ' || '\t' <= c && c <= '\r', true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F', true
	}
	return false, false
}
