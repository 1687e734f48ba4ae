package draft

import (
	"errors"
	"strings"
)

var ErrShell = errors.New("it needs a shell, and there is none between gorsyncd and rsync")

// ShellWords splits a text as a shell does that finds nothing to expand in it.
func ShellWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	for i, runes := 0, []rune(text); i < len(runes); i++ {
		r := runes[i]
		switch {
		case r == '\\' && quote != '\'':
			if i++; i == len(runes) {
				return nil, errors.New("it ends with a backslash")
			}
			word.WriteRune(runes[i])
			inWord = true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inWord = r, true
		case strings.ContainsRune("$`", r) && quote != '\'', quote == 0 && strings.ContainsRune(";|&<>()", r):
			return nil, ErrShell
		case quote == 0 && strings.ContainsRune(" \t\r\n", r):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
