package watch

import (
	"errors"
	"strings"
	"testing"
)

func mustFilter(t testing.TB, texts ...string) *Filter {
	t.Helper()
	rules := make([]Rule, len(texts))
	for i, s := range texts {
		rules[i] = Rule{Text: s, Origin: "test:1"}
	}
	f, err := ParseFilter(rules)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFilterMatch(t *testing.T) {
	cases := []struct {
		rules string // one a line
		path  string // a trailing slash marks a directory
		want  bool   // excluded
		by    string
	}{
		{"*.swp", "a/b.swp", true, "a/b.swp"},
		{"*.swp", "a/b.swpx", false, ""},
		{".git/", "x/.git/", true, "x/.git"},
		{".git/", "x/.git", false, ""},
		{".git/", "x/.git/HEAD", true, "x/.git"},
		{"/cache/", "cache/x/y", true, "cache"},
		{"/cache/", "a/cache/", false, ""},
		{"+ /cache/keep/***\n+ /cache/\n- /cache/*", "cache/keep/x", false, ""},
		{"+ /cache/keep/***\n+ /cache/\n- /cache/*", "cache/other", true, "cache/other"},
		{"+ /cache/keep/***\n- /cache/", "cache/keep/x", true, "cache"},
		{"a/b", "x/a/b", true, "x/a/b"},
		{"a/b", "xa/b", false, ""},
		{"a/*", "x/a/b/", true, "x/a/b"},
		{"/a/*", "x/a/b", false, ""},
		{"a/**/z", "a/b/c/z", true, "a/b/c/z"},
		{"**/z", "z", true, "z"},
		{"foo***", "foo/", true, "foo"},
		{"[[:alpha:]]x", "ax", true, "ax"},
		{"[![:alpha:]]x", "ax", false, ""},
		{`a\b`, `a\b`, true, `a\b`},
		{`a\b*`, `abc`, true, `abc`},
		{`x]y`, `x]y`, true, `x]y`},
		{"include keep\nexclude *", "keep", false, ""},
		{"include keep\nexclude *", "other", true, "other"},
		{"+_keep\n-_*", "keep", false, ""},
		{"- -x", "-x", true, "-x"},
		{"-  x", " x", true, " x"},
		{"+ " + PartialDir + "/", PartialDir + "/x", true, PartialDir},
		{"- *", "", false, ""},
	}
	for _, c := range cases {
		f := mustFilter(t, strings.Split(c.rules, "\n")...)
		path, isDir := strings.CutSuffix(c.path, "/")
		got := f.Match(path, isDir)
		if got.Excluded != c.want || got.Excluded && got.By != c.by {
			t.Errorf("rules %q path %q: got %+v, want excluded=%v by %q", c.rules, c.path, got, c.want, c.by)
		}
	}
}

func TestFilterRuleErrors(t *testing.T) {
	cases := map[string]string{ // rule: part of the remedy
		"":                        "remove it",
		"!":                       "remove the rules above",
		"clear":                   "remove the rules above",
		"!x":                      `"- !x"`,
		"-x":                      `"- -x"`,
		"-/ x":                    "modifiers are not supported",
		"+":                       "PATTERN",
		"- ":                      "no pattern",
		"include":                 "include PATTERN",
		"include_x":               `"- include_x"`,
		"exclude,! x":             "exclude PATTERN",
		"merge f":                 `"- merge f"`,
		". f":                     `"- . f"`,
		": f":                     "only include and exclude",
		"dir-merge_f":             "only include and exclude",
		"P x":                     "only include and exclude",
		"protect x":               "only include and exclude",
		"a\x00b":                  "NUL",
		strings.Repeat("x", 4096): "shorten",
	}
	for text, remedy := range cases {
		_, err := ParseFilter([]Rule{{"ok", "c.yaml:1"}, {text, "c.yaml:7"}})
		var re *RuleError
		if !errors.As(err, &re) {
			t.Errorf("rule %q: error %v, want a *RuleError", text, err)
			continue
		}
		if re.Rule.Text != text || !strings.Contains(err.Error(), "c.yaml:7") || !strings.Contains(re.Reason, remedy) {
			t.Errorf("rule %q: message %q names not origin and remedy %q", text, err, remedy)
		}
	}
}

func TestNilFilter(t *testing.T) {
	var f *Filter
	if f.Match("a/b", false).Excluded || !f.Match("a/"+PartialDir+"/x", false).Excluded {
		t.Error("a nil filter excludes exactly the partial directories")
	}
	for _, dir := range []bool{true, false} {
		if !f.Match(ProbeName, dir).Excluded || f.Match("a/"+ProbeName, dir).Excluded {
			t.Error("the name of probes is reserved at the root, and nowhere else")
		}
	}
	if got := f.Args(); len(got) != 2 {
		t.Errorf("Args() = %q, want the built-in rules", got)
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"*.swp", "- [a-", "+ **/x/***", "[[:alpha:", `\`, "- *a*b*c*d", "[]a]", "[a-\\"} {
		f.Add(s, "a/b/c", true)
	}
	f.Fuzz(func(t *testing.T, text, path string, isDir bool) {
		if len(text) > 64 || len(path) > 256 {
			return
		}
		fl, err := ParseFilter([]Rule{{Text: text}})
		if err != nil {
			var re *RuleError
			if !errors.As(err, &re) || re.Reason == "" {
				t.Fatalf("error %v is no *RuleError with a reason", err)
			}
			return
		}
		v := fl.Match(path, isDir)
		if v.Excluded && !strings.HasPrefix(path, v.By) {
			t.Fatalf("excluded by %q, no ancestor of %q", v.By, path)
		}
		// The arguments mean the same when they are parsed again.
		var rules []Rule
		for _, a := range fl.Args()[1:] {
			rules = append(rules, Rule{Text: strings.TrimPrefix(a, "--filter=")})
		}
		again, err := ParseFilter(rules)
		if err != nil || again.Match(path, isDir).Excluded != v.Excluded {
			t.Fatalf("the arguments of %q do not mean the same: %v", text, err)
		}
	})
}
