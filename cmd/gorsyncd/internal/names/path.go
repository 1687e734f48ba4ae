package names

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"
)

// Path is a file name in a JSON document. Embed it: it contributes "path",
// and "path_b64" when the name is not UTF-8, because encoding/json would
// replace the offending bytes and the name could not be recovered.
type Path struct {
	Text string `json:"path"`
	B64  string `json:"path_b64,omitempty"`
}

// NewPath returns the JSON form of the name p.
func NewPath(p string) Path {
	if utf8.ValidString(p) {
		return Path{Text: p}
	}
	return Path{Text: Printable(p), B64: base64.StdEncoding.EncodeToString([]byte(p))}
}

// NewPaths converts a list; the result is never nil, so that JSON has [].
func NewPaths(ps []string) []Path {
	out := make([]Path, 0, len(ps))
	for _, p := range ps {
		out = append(out, NewPath(p))
	}
	return out
}

// Raw returns the name itself. It fails only on a document that was not made
// by NewPath.
func (p Path) Raw() (string, error) {
	if p.B64 == "" {
		return p.Text, nil
	}
	b, err := base64.StdEncoding.DecodeString(p.B64)
	if err != nil {
		return "", fmt.Errorf("decode path_b64: %w", err)
	}
	return string(b), nil
}

// String returns the name safe for a terminal.
func (p Path) String() string {
	raw, err := p.Raw()
	if err != nil {
		return Printable(p.Text)
	}
	return Printable(raw)
}
