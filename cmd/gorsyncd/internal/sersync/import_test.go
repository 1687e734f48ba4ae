package sersync

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/draft"
	"gorsyncd/cmd/gorsyncd/internal/draft/drafttest"
)

func read(t *testing.T, name string) draft.File {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return draft.File{Name: filepath.Base(name), Data: data}
}

// TestImport compares what becomes of the files in testdata, and what is said of
// it, with golden files: elements and attributes each for itself, and the shapes
// that people publish. Those that begin with plugin- are about what ran after each
// event.
func TestImport(t *testing.T) {
	drafttest.Golden(t, "testdata/*.xml", func(f draft.File) (*draft.Result, error) { return Import([]draft.File{f}, 0, "") })
}

// TestShipped: all three localpaths of the file that sersync's users run are
// replicated, and nothing is lost.
func TestShipped(t *testing.T) {
	res, err := Import([]draft.File{read(t, "testdata/shipped.xml")}, 0, "")
	if err != nil || res.Lost() {
		t.Fatal(res, err)
	}
	conf, err := config.Parse("x", res.YAML, config.Options{})
	if err != nil || len(conf.Sources) != 3 {
		t.Fatal(conf, err)
	}
	for i, name := range []string{"www", "bbs", "blog"} {
		s := conf.Sources[i]
		if s.Path != "/data0/www/"+name || s.Remotes[0].Target.Module != name || s.Remotes[0].PasswordFile != "/etc/rsync.password" {
			t.Errorf("%+v", s)
		}
	}
}

// TestSeveralFiles: files with settings of their own keep them.
func TestSeveralFiles(t *testing.T) {
	one := func(name, path, rsync string) draft.File {
		return draft.File{Name: name, Data: fmt.Appendf(nil, `<head><sersync><localpath watch="%s"><remote ip="h" name="%c"/></localpath><rsync>%s</rsync></sersync></head>`, path, name[0], rsync)}
	}
	res, err := Import([]draft.File{
		one("a.xml", "/a/www", `<commonParams params="-az"/>`),
		one("b.xml", "/b/www", `<commonParams params="-a"/><timeout start="true" time="9"/>`),
	}, 0, "")
	if err != nil || res.Lost() {
		t.Fatal(res, err)
	}
	conf, err := config.Parse("x", res.YAML, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := conf.Sources[0], conf.Sources[1]
	if a.Name != "www" || b.Name != "www-2" || !a.Remotes[0].Rsync.Compress || b.Remotes[0].Rsync.Compress || b.Remotes[0].Rsync.Timeout.Seconds() != 9 {
		t.Errorf("%s", res.YAML)
	}
	if res, err = Import([]draft.File{one("a.xml", "/a/www", ""), one("b.xml", "/b/bbs", "")}, 0, ""); err != nil || strings.Count(string(res.YAML), "compress: true") != 1 {
		t.Errorf("settings that are alike stand once: %v\n%s", err, res.YAML)
	}
}

// TestNoSersync: another file is an error with its place.
func TestNoSersync(t *testing.T) {
	for text, line := range map[string]int{
		"":                           1,
		"sources: []":                1,
		"<a><b/></a>":                1,
		"<head>\n<a b='</head>":      2,
		strings.Repeat("<a>\n", 100): 50,
		"<head>\n\n<sersync\n":       4,
	} {
		_, err := Import([]draft.File{{Name: "x.xml", Data: []byte(text)}}, 0, "")
		var bad *draft.SyntaxError
		if !errors.As(err, &bad) || bad.Line != line {
			t.Errorf("%.30q: %v, want an error of line %d", text, err, line)
		}
	}
}

// FuzzImport: whatever is in a file, it is refused with a place, or it becomes a
// configuration that is valid unless something is said to be lost.
func FuzzImport(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.xml")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		res, err := Import([]draft.File{{Name: "x.xml", Data: data}}, 0, "")
		var bad *draft.SyntaxError
		if err != nil && !errors.As(err, &bad) {
			t.Fatal(err)
		}
		if err == nil && !res.Lost() {
			if _, err := config.Parse("x", res.YAML, config.Options{}); err != nil {
				t.Errorf("%v\n%s", err, res.YAML)
			}
		}
	})
}
