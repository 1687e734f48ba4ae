package lsyncd

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/draft"
)

var update = flag.Bool("update", false, "write the golden files")

// files are those that configurations name.
func files(name string) (string, error) {
	if name == "/etc/lsyncd.exclude" {
		return "# comment\n*.bak\r\n\n; and one\n/tmp/\n", nil
	}
	return "", fmt.Errorf("open %s: no such file", name)
}

func TestImport(t *testing.T) {
	names, err := filepath.Glob("testdata/*.lua")
	if err != nil || len(names) < 3 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			res, err := Import([]draft.File{{Name: filepath.Base(name), Data: data}}, files)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			b.Write(res.YAML)
			for _, n := range res.Notes[1:] {
				fmt.Fprintln(&b, "#", n)
			}
			golden := strings.TrimSuffix(name, ".lua") + ".yaml"
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != b.String() {
				t.Errorf("%v, differs from %s:\n%s", err, golden, b.String())
			}
		})
	}
}

// TestLoop: what a loop makes is one source for each directory, with all hosts.
func TestLoop(t *testing.T) {
	data, err := os.ReadFile("testdata/loop.lua")
	if err != nil {
		t.Fatal(err)
	}
	res, err := Import([]draft.File{{Name: "x", Data: data}}, files)
	if err != nil || res.Lost() {
		t.Fatal(res, err)
	}
	conf, err := config.Parse("x", res.YAML, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(conf.RemoteNames()) != "[html/web2.example.com html/web3.example.com upload/web2.example.com upload/web3.example.com]" {
		t.Error(conf.RemoteNames())
	}
	if r := conf.Sources[1].Remotes[1]; r.SSH.Port != 2222 || !r.Rsync.Compress || r.BWLimit.Otherwise != 2000<<10 || r.Delete != config.DeleteAll {
		t.Errorf("%+v", r)
	}
}

// TestNoLsyncd: what cannot be run is an error with its line, and ends.
func TestNoLsyncd(t *testing.T) {
	for text, want := range map[string]string{
		"sync{\n\n":                                  "x.lua:3: ",
		"\nlocal h = io.open('/etc/passwd')":         "x.lua:2: attempt to index a non-table object(nil) with key 'open'",
		"os.execute('id')":                           "x.lua:1: ",
		"require 'x'":                                "x.lua:1: ",
		"while true do end":                          "x.lua:1: it does not end within 2s",
		"local function f() return f() + 1 end\nf()": "x.lua:",
		"sync(1)":                                    "x.lua:1: ",
	} {
		begin := time.Now()
		_, err := Import([]draft.File{{Name: "x.lua", Data: []byte(text)}}, files)
		var bad *draft.SyntaxError
		if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if time.Since(begin) > 10*runLimit {
			t.Errorf("%q took %v", text, time.Since(begin))
		}
	}
	if res, err := Import([]draft.File{{Name: "x.lua", Data: []byte("x = 1")}}, files); err != nil || !res.Lost() {
		t.Error("nothing to replicate is nothing lost:", err)
	}
}
