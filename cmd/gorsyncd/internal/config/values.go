package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. In YAML: 512, 64K, 256M, 1.5G, 2T, by powers of
// 1024 as rsync counts them.
type Size int64

// String is the shortest exact form, which parses to the same Size.
func (s Size) String() string {
	for _, u := range []struct {
		letter string
		shift  uint
	}{{"T", 40}, {"G", 30}, {"M", 20}, {"K", 10}} {
		if s != 0 && s%(1<<u.shift) == 0 {
			return strconv.FormatInt(int64(s>>u.shift), 10) + u.letter
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

const sizeHelp = "write a number of bytes with K, M, G or T, such as 256M"

func parseSize(text string) (Size, error) {
	num := strings.TrimSpace(text)
	lower := strings.ToLower(num)
	if strings.HasSuffix(lower, "ib") {
		num = num[:len(num)-2]
	} else if strings.HasSuffix(lower, "b") {
		return 0, fmt.Errorf("%q is not a size: %s (powers of 1024, no B)", text, sizeHelp)
	}
	shift := 0
	if num != "" {
		if i := strings.IndexByte("KMGT", num[len(num)-1]&^0x20); i >= 0 {
			shift, num = 10*(i+1), num[:len(num)-1]
		}
	}
	if num == "" || strings.Trim(num, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is not a size: %s", text, sizeHelp)
	}
	f, err := strconv.ParseFloat(num, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size: %s", text, sizeHelp)
	}
	f = math.Ldexp(f, shift)
	if f >= math.MaxInt64 || f != math.Trunc(f) {
		return 0, fmt.Errorf("%q is not a whole number of bytes below 8E", text)
	}
	return Size(f), nil
}

// ParseDuration reads a duration as the configuration spells it.
func ParseDuration(text string) (time.Duration, error) { return parseDuration(text) }

// parseDuration takes what time.ParseDuration takes, and days: 7d, 1d12h.
func parseDuration(text string) (time.Duration, error) {
	const help = "write a number and a unit, such as 500ms, 10s, 5m, 24h or 7d"
	if strings.HasPrefix(text, "-") {
		return 0, fmt.Errorf("%q is negative", text)
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil && text != "0" {
		return 0, fmt.Errorf("%q has no unit: write %ss or %sms", text, text, text)
	}
	rest, days := text, 0
	if head, tail, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.Atoi(head)
		if err != nil || n < 0 || n > 36500 {
			return 0, fmt.Errorf("%q is not a duration: %s", text, help)
		}
		rest, days = tail, n
	}
	total := time.Duration(days) * 24 * time.Hour
	if rest == "" && days > 0 || rest == "" && text == "0d" {
		return total, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || total+d < 0 {
		return 0, fmt.Errorf("%q is not a duration: %s", text, help)
	}
	return total + d, nil
}

// formatDuration is the inverse of parseDuration in its usual spelling: 24h
// and not 24h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

var errRelative = errors.New("must be an absolute path")

func checkAbs(path string) error {
	switch {
	case strings.ContainsRune(path, 0):
		return errors.New("holds a NUL byte")
	case strings.HasPrefix(path, "~"):
		return errors.New("must be an absolute path: ~ is not expanded")
	case strings.HasPrefix(path, "$"):
		return errors.New("must be an absolute path: variables are not expanded")
	case !strings.HasPrefix(path, "/"):
		return errRelative
	}
	return nil
}
