package draft

import (
	"fmt"
	"testing"
)

func TestShellWords(t *testing.T) {
	for text, want := range map[string]string{
		` -a  -e "ssh -p 22" 'a b'\ c`: `[-a -e ssh -p 22 a b c]`,
		`--x="" ''`:                    `[--x= ]`,
		`-a; id`:                       ErrShell.Error(),
		`$(id)`:                        ErrShell.Error(),
		`"a`:                           "a quote is not closed",
		`a\`:                           "it ends with a backslash",
	} {
		got, err := ShellWords(text)
		if s := fmt.Sprint(got); err != nil && err.Error() != want || err == nil && s != want {
			t.Errorf("%s: %s, %v, want %s", text, s, err, want)
		}
	}
}
