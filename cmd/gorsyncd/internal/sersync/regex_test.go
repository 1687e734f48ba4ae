package sersync

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"gorsyncd/watch"
)

// paths are what the expressions below are tried on; a slash behind is a
// directory.
var paths = []string{
	"a.svn", "a.gz", "x.tar.gz", "svn", "a_svn", "info", "info/x", "information", "d/info", "static/", "static/a", "static/img/",
	"static/img/x", "test/", "test/test.txt", "test/two.txt", "two.txt", "cache/", "cache/a", "d/cache/", "d/cache/a", "d/cache/e/",
	"d/", "d/a.svn", "d/a.bak", "d/e/", "d/e/f.gz", "d/e/log.1.txt", "tmp", "tmpx", "tmp.d/", "tmp.d/a", "d/tmp", "d/tmpx", "upload/",
	"upload/2026/", "upload/2026/a.jpg", "a1.log", "d/a2.log", "a*b", "d/A.SVN",
}

// sersyncDrops tells whether sersync, told to leave out expr, would not have seen
// a change of path: see rulesOf. A file in a directory that was not watched is
// not seen either.
func sersyncDrops(re *regexp.Regexp, p string) bool {
	dir := strings.HasSuffix(p, "/")
	p = strings.TrimSuffix(p, "/")
	for d := p; ; d = d[:strings.LastIndexByte(d, '/')] {
		if (d != p || dir) && re.MatchString(d+"/") {
			return true // this directory has no watch
		}
		if !strings.Contains(d, "/") {
			break
		}
	}
	if strings.Contains(p, "/") {
		return re.MatchString("/" + p)
	}
	return re.MatchString(p)
}

// TestRulesOf: the rules leave out what sersync did not see, path by path.
func TestRulesOf(t *testing.T) {
	for _, c := range []struct {
		expr string
		want []string
		more []string // left out besides, which its note says
	}{
		{`(.*)\.svn`, []string{"- *.svn"}, nil},
		{`(.*)\.gz`, []string{"- *.gz"}, nil},
		{`^.*\.(svn|gz|bak)$`, []string{"- *.svn", "- *.gz", "- *.bak"}, nil},
		{`(.*)\.tar(\.gz)?`, []string{"- *.tar", "- *.tar.gz"}, nil},
		{`^info/*`, []string{"- /info"}, nil},
		{`^static/*`, []string{"- /static"}, nil},
		{`^static/img/*`, []string{"- /static/img/"}, nil},
		{`static/(.*)`, []string{"- /static/"}, nil},
		{`^static/img/.*`, []string{"- /static/img/"}, nil},
		{`^/test/two\.txt`, []string{"- /test/two.txt"}, nil},
		{`(.*)/cache/(.*)`, []string{"- cache/"}, []string{"cache/", "d/cache/"}},
		{`.*cache.*`, []string{"- *cache*"}, nil},
		{`(.*)/tmp`, []string{"+ /tmp", "- tmp"}, nil},
		{`^tmp.*`, []string{"- /tmp*"}, nil},
		{`/upload/2026/(.*)`, []string{"- /upload/2026/*"}, nil},
		{`/d/tmp(.*)`, []string{"- /d/tmp*"}, nil},
		{`.*\.[a-s]vn`, []string{"- *.[a-s]vn"}, nil},
		{`(?i).*\.svn`, []string{"- *.[sS][vV][nN]"}, nil},
		{`.*.svn`, []string{"- *?svn"}, nil},
		{`a\*b`, []string{"- /a[*]b"}, nil},
	} {
		got, _, err := rulesOf(c.expr)
		if c.expr == `.*.svn` {
			c.want = []string{"- *?svn"} // any character before svn
			c.more = nil
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", c.expr, got, err, c.want)
			continue
		}
		var rules []watch.Rule
		for _, r := range got {
			rules = append(rules, watch.Rule{Text: r})
		}
		filter, err := watch.ParseFilter(rules)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		re := regexp.MustCompile("^(?:" + c.expr + ")$")
		for _, p := range paths {
			out := filter.Match(strings.TrimSuffix(p, "/"), strings.HasSuffix(p, "/")).Excluded
			if want := sersyncDrops(re, p); out != want && !(out && slices.Contains(c.more, p)) {
				t.Errorf("%s: %s is left out: %v, by sersync: %v", c.expr, p, out, want)
			}
		}
	}
}

// TestNoRules: what is no pattern is refused, not approached.
func TestNoRules(t *testing.T) {
	for expr, want := range map[string]string{
		`.*`:              errEverything.Error(),
		`(.*)/(.*)`:       errEverything.Error(),
		`^test/test\.txt`: errNothing.Error(),
		`/two\.txt`:       errNothing.Error(),
		`(.*)\.[0-9]+`:    errNotGlob.Error(),
		`(.*)a(.*)b`:      errNotGlob.Error(),
		`(.*)/a/b`:        errNotGlob.Error(),
		`a{3}`:            errNotGlob.Error(),
		`[^a]b`:           errNotGlob.Error(),
		`a\\b`:            errNotGlob.Error(),
		`(?!x)y`:          "cannot be read",
		`(`:               "cannot be read",
		`*.php`:           "cannot be read",
		`(aa|b)(cc|d)(ee|f)(gg|h)(ii|j)(kk|l)(mm|n)`: errTooMany.Error(),
		`a^b`: errNotGlob.Error(),
	} {
		if rules, _, err := rulesOf(expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %s", expr, rules, err, want)
		}
	}
}
