package outbound

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// maxSecret bounds a file of secrets.
const maxSecret = 64 << 10

// ReadSecret reads a file that nobody else may read. It is to be read at each use, so
// that a new secret counts at once.
func ReadSecret(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO would never open
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file", path)
	}
	if st.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("%s can be read or written by everybody: chmod 600 it", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxSecret:
		return "", fmt.Errorf("%s is larger than %d KiB", path, maxSecret>>10)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// tokenChars are what the name of a header is made of (RFC 9110, 5.6.2).
const tokenChars = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// ParseHeader reads "Name: value".
func ParseHeader(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case !ok || name == "" || strings.Trim(name, tokenChars) != "":
		return "", "", errors.New("is not a header of the form Name: value")
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "", "", fmt.Errorf("the value of %s holds characters that a header cannot", name)
	}
	return name, value, nil
}

// Headers are those of a request: given ones, then those of a file, one a line, which
// win.
func Headers(lines []string, file string) (http.Header, error) {
	h := http.Header{}
	if file != "" {
		text, err := ReadSecret(file)
		if err != nil {
			return nil, err
		}
		for n, line := range strings.Split(text, "\n") {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if _, _, err := ParseHeader(line); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, n+1, err) // not the line: it may be the secret
			}
			lines = append(lines, line)
		}
	}
	for _, line := range lines {
		name, value, err := ParseHeader(line)
		if err != nil {
			return nil, err
		}
		h.Set(name, value)
	}
	return h, nil
}
