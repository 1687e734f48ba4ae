package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"
)

// parseFunc reads the value of key from n, reporting what is wrong with it.
type parseFunc[T any] func(p *parser, key string, n *yaml.Node) (T, bool)

// scalar lifts a conversion from text.
func scalar[T any](convert func(string) (T, error)) parseFunc[T] {
	return func(p *parser, key string, n *yaml.Node) (T, bool) {
		var zero T
		p.takes(n, yaml.ScalarNode, ofType(zero))
		s, ok := p.text(n, key)
		if !ok {
			return zero, false
		}
		v, err := convert(s)
		if err != nil {
			p.fail(deref(n), "%s: %v", key, err)
			return zero, false
		}
		return v, true
	}
}

func integer[T int | uint64](low, high T) parseFunc[T] {
	return like(wholeNumber(low, high), scalar(func(s string) (T, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a whole number", s)
		}
		if n < 0 || T(n) < low || T(n) > high {
			return 0, fmt.Errorf("%d is not between %d and %d", n, low, high)
		}
		return T(n), nil
	}))
}

func fraction(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, fmt.Errorf("%q is not a number between 0 and 1", s)
	}
	return f, nil
}

func boolean(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", s)
}

func duration(low, high time.Duration) parseFunc[time.Duration] {
	return like(aDuration, scalar(func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		if err == nil && (d < low || d > high) {
			err = fmt.Errorf("%s is not between %s and %s", s, formatDuration(low), formatDuration(high))
		}
		return d, err
	}))
}

func size(low, high Size) parseFunc[Size] {
	return like(aSize, scalar(func(s string) (Size, error) {
		v, err := parseSize(s)
		if err == nil && (v < low || v > high) {
			err = fmt.Errorf("%s is not between %s and %s", s, low, high)
		}
		return v, err
	}))
}

func enum[T ~string](values ...T) parseFunc[T] {
	words := make([]string, 0, len(values))
	for _, v := range values {
		words = append(words, string(v))
	}
	return like(oneOf(words), scalar(func(s string) (T, error) {
		if slices.Contains(words, s) {
			return T(s), nil
		}
		return "", fmt.Errorf("unknown value %q, known are %s%s", s, strings.Join(words, ", "), didYouMean(s, words))
	}))
}

// absPath takes an absolute path, or "" where one may be switched off.
func absPath(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	if err := checkAbs(s); err != nil {
		return "", fmt.Errorf("%q %w", s, err)
	}
	return s, nil
}

// secretFilePath is absPath, but for the error: what is no path may be the secret.
func secretFilePath(s string) (string, error) { return fileWith("the password")(s) }

func fileWith(what string) func(string) (string, error) {
	return func(s string) (string, error) {
		if s != "" && checkAbs(s) != nil {
			return "", errors.New("must be the absolute path of a file that holds " + what + " (~ and variables are not expanded), or credential: and the name of one of systemd's")
		}
		return s, nil
	}
}

// serverName takes a host name or an address, or "" for that of the target.
func serverName(s string) (string, error) {
	if strings.HasPrefix(s, "-") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`'"/@[]`, r) }) {
		return "", fmt.Errorf("%q is not a host name", s)
	}
	return s, nil
}

// program takes an absolute path or a bare name to be found in PATH.
func program(s string) (string, error) {
	switch {
	case s == "":
		return "", fmt.Errorf("needs the name or the absolute path of a program")
	case strings.HasPrefix(s, "-"):
		return "", fmt.Errorf("%q looks like an option", s)
	case strings.Contains(s, "/"):
		return absPath(s)
	}
	return s, nil
}

// itemOrItems is items for which one alone may stand without a list.
func itemOrItems(check func(string) error) parseFunc[[]Item] {
	many := items(check)
	return func(p *parser, key string, n *yaml.Node) ([]Item, bool) {
		if deref(n).Kind != yaml.ScalarNode {
			return many(p, key, n)
		}
		it, ok := p.item(n, key)
		if !ok {
			return nil, false
		}
		if err := check(it.Text); err != nil {
			p.fail(n, "%s: %v", key, err)
			return nil, false
		}
		return []Item{it}, true
	}
}

// items reads a list of texts, each checked by check.
func items(check func(string) error) parseFunc[[]Item] {
	return func(p *parser, key string, n *yaml.Node) ([]Item, bool) {
		out, good := []Item{}, true
		isList := p.list(n, key, func(c *yaml.Node) {
			it, ok := p.item(c, "an element of "+key)
			if ok {
				if err := check(it.Text); err != nil {
					p.fail(c, "%s: %v", key, err)
					ok = false
				}
			}
			good = good && ok
			out = append(out, it)
		})
		return out, isList && good
	}
}
