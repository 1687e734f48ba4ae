package replicate

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// drawStderr makes what may stand on stderr: any bytes, and pieces of what
// rsync and ssh say, cut and glued anywhere, as file names can have them too.
func drawStderr(t *rapid.T) string {
	var b strings.Builder
	for range rapid.IntRange(0, 9).Draw(t, "pieces") {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			b.Write(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		case 1:
			b.WriteString(rules[rapid.IntRange(0, len(rules)-1).Draw(t, "rule")].text)
		case 2:
			b.WriteString(rapid.SampledFrom([]string{"\n", "\r\n", "rsync: ", "ssh: ", "ERROR:", ") at main.c(1)", "[sender]", "@@@", "\x00",
				"Permission denied", "could not make way for new regular file: ", "rsync: [receiver] mkstemp \"/d/.", ".AbCdEf\" failed: "}).Draw(t, "word"))
		default:
			b.WriteString(strings.Repeat(rapid.SampledFrom([]string{"x", "é", "图"}).Draw(t, "of"), rapid.IntRange(100, 600).Draw(t, "long")))
		}
	}
	return b.String()
}

// TestClassificationIsTotal: whatever an rsync returns and says has one class,
// and none of success but for exit 0 and vanished files.
func TestClassificationIsTotal(t *testing.T) {
	classes := []Class{ClassOK, ClassEntry, ClassTransient, ClassConfig, ClassHeld}
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.IntRange(-70, 300).Draw(t, "code")
		if rapid.Bool().Draw(t, "known") {
			code = rapid.SampledFrom([]int{0, 23, 24, 25, 5, 10, 11, 12, 255, -9}).Draw(t, "known code")
		}
		stderr := drawStderr(t)
		got := Classify(code, stderr)
		ok := code == 0 || code == 24
		switch {
		case !slices.Contains(classes, got.Class):
			t.Fatalf("no class: %+v", got)
		case got.Class == ClassOK && (!ok || got.ID != "" || got.Message != ""):
			t.Fatalf("exit %d is a success: %+v", code, got)
		case ok && got.Class != ClassOK && got.ID != "G-MAXDELETE":
			t.Fatalf("exit %d is a failure: %+v", code, got)
		case got.Class != ClassOK && got.ID == "":
			t.Fatalf("a failure without an id: %+v", got)
		case got.Class == ClassEntry && code != 23 && code != 11:
			t.Fatalf("exit %d tells of single paths: %+v", code, got)
		case code == 23 && got.Class != ClassEntry && got.ID != "G-MAXDELETE" && got.ID != "E-MODPATH" && got.ID != "E-NOSPACE":
			t.Fatalf("a name in an error of a path decides about the remote: %+v", got)
		case strings.Contains(got.Message, "\n") || len(got.Message) > 410:
			t.Fatalf("the message is no line: %q", got.Message)
		case utf8.ValidString(stderr) && !utf8.ValidString(got.Message):
			t.Fatalf("the message was cut inside of a character: %q", got.Message)
		}
		path := rapid.SampledFrom([]string{"", "a", "d/.AbCdEf", "d/x"}).Draw(t, "path")
		if r := reasonFor(path, stderr, got); r.ID == "" && got.ID != "" {
			t.Fatalf("no reason for %q: %+v", path, r)
		}
	})
}
