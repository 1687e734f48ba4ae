package lsyncd

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/draft"
	"gorsyncd/cmd/gorsyncd/internal/draft/drafttest"
)

// files are those that configurations name.
func files(name string) (string, error) {
	if name == "/etc/lsyncd.exclude" {
		return "# comment\n*.bak\r\n\n; and one\n/tmp/\n", nil
	}
	return "", fmt.Errorf("open %s: no such file", name)
}

// TestImport compares what becomes of the files in testdata, and what is said of
// it, with golden files.
func TestImport(t *testing.T) {
	drafttest.Golden(t, "testdata/*.lua", func(f draft.File) (*draft.Result, error) { return Import([]draft.File{f}, files) })
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
		"\nlocal h = io.open('/etc/passwd')":         "x.lua:2: io.open is not there: an import reads no environment",
		"os.execute('id')":                           "x.lua:1: os.execute is not there",
		"local t = os.getenv('T')":                   "x.lua:1: os.getenv is not there",
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
