package watch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// seed returns the seed of a random test: from the environment to replay one,
// else a new one; it is logged either way.
func seed(t testing.TB, env string) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if v := os.Getenv(env); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", env, err)
		}
		s = n
	}
	t.Logf("replay with %s=%d", env, s)
	return s
}

// TestFilterAgainstRsync compares Match with what the installed rsync sends
// for generated rules over generated trees.
func TestFilterAgainstRsync(t *testing.T) {
	if _, err := exec.LookPath("rsync"); err != nil {
		t.Fatal(err)
	}
	s := seed(t, "WATCH_FILTER_SEED")
	trees, sets := 6, 50
	if testing.Short() {
		trees, sets = 4, 20
	}
	for i := range trees {
		rnd := rand.New(rand.NewPCG(s, uint64(i)))
		src := t.TempDir()
		paths := growTree(t, rnd, src)
		for range sets {
			compareWithRsync(t, randomRules(rnd, paths), src, paths)
		}
	}
}

func compareWithRsync(t rapid.TB, rules []Rule, src string, paths []string) {
	t.Helper()
	f, err := ParseFilter(rules)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range paths {
		name, isDir := strings.CutSuffix(p, "/")
		if !f.Match(name, isDir).Excluded {
			want = append(want, p)
		}
	}
	args := append([]string{"-r", "-l", "-n", "-8", "--out-format=%n"}, f.Args()...)
	cmd := exec.Command("rsync", append(args, src+"/", filepath.Join(src, "no-such-destination")+"/")...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("rsync %q: %v\n%s", args, err, stderr.String())
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		name := unescape(strings.TrimSuffix(line, "\n"))
		if name != "./" && !strings.HasPrefix(name, "created directory ") {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		for _, p := range paths {
			if slices.Contains(got, p) != slices.Contains(want, p) {
				t.Errorf("%q: rsync sends it: %v, Match includes it: %v", p, slices.Contains(got, p), slices.Contains(want, p))
			}
		}
		t.Fatalf("rules %q", f.Args())
	}
}

// unescape undoes rsync's \#ooo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], `\#`) && i+5 <= len(s) {
			if n, err := strconv.ParseUint(s[i+2:i+5], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 4
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

var filterNames = []string{
	"a", "b", "c", "ab", "abc", "a.b", "B", "x]y", "[x", "[ab]", "*", "?", "**", `a\b`, `\`, "-", "- a", "+ a", "!", "!a",
	"a b", " a", "a ", "#a", ";a", "a\nb", "\xff\xe9", "é", "0", "z9", "_", ".a", "^", "a-c", ":", "[:alpha:]", "...",
}

// growTree makes a random tree and returns its paths, directories with a
// trailing slash.
func growTree(t *testing.T, rnd *rand.Rand, root string) []string {
	t.Helper()
	var paths []string
	dirs := []string{""}
	for range 70 {
		p := dirs[rnd.IntN(len(dirs))] + filterNames[rnd.IntN(len(filterNames))]
		full := root + "/" + p
		if _, err := os.Lstat(full); err == nil {
			continue
		}
		var err error
		if rnd.IntN(2) == 0 && strings.Count(p, "/") < 5 {
			err = os.Mkdir(full, 0o755)
			dirs = append(dirs, p+"/")
			p += "/"
		} else {
			err = os.WriteFile(full, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return paths
}

var patternParts = []string{
	"*", "**", "***", "?", "/", "/", "a", "b", "c", "ab", ".", "[ab]", "[!a]", "[^b]", "[a-c]", "[]a]", "[a-", "[", "]",
	"[[:alpha:]]", "[![:digit:]]", "[[:space:]]", "[[:bad:]]", "[[:alpha:", "[a/b]", `\`, `\*`, `\[`, `[\]]`, `[a\-c]`, `[\a-c]`,
	" ", "-", "+", "!", "\n", "\xff", "#", "[[:upper:]x]", "[[a]", "[b-]", "[--a]", "[[:]",
}

func randomRules(rnd *rand.Rand, paths []string) []Rule {
	var rules []Rule
	for range 1 + rnd.IntN(5) {
		var pattern string
		if rnd.IntN(3) == 0 { // from a path that exists, perhaps with a part replaced
			elems := strings.Split(paths[rnd.IntN(len(paths))], "/")
			if rnd.IntN(2) == 0 {
				elems[rnd.IntN(len(elems))] = patternParts[rnd.IntN(len(patternParts))]
			}
			pattern = strings.Join(elems[rnd.IntN(len(elems)):], "/")
			if rnd.IntN(2) == 0 {
				pattern = "/" + pattern
			}
		} else {
			for range 1 + rnd.IntN(6) {
				pattern += patternParts[rnd.IntN(len(patternParts))]
			}
		}
		if pattern == "" {
			pattern = "*"
		}
		sign := "-"
		if rnd.IntN(3) == 0 {
			sign = "+"
		}
		rules = append(rules, Rule{Text: sign + " " + pattern, Origin: fmt.Sprintf("generated:%d", len(rules)+1)})
	}
	return rules
}
