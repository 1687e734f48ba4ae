package config

import (
	"strings"
	"testing"
	"time"
)

func sinkConfig(t *testing.T, sinks string) (*Config, error) {
	t.Helper()
	text := "sources:\n  - path: /data/www\n    remotes: [web1::www, {name: nas, target: nas::www}]\n    sinks:\n"
	for line := range strings.Lines(sinks) {
		text += "      " + line
	}
	return Parse("test.yaml", []byte(text), Options{StateDir: "/s", Socket: "/r/s", RealPath: func(p string) string { return p }})
}

func TestSinks(t *testing.T) {
	c, err := sinkConfig(t, `- command: [/usr/local/bin/hook, --all]
- {name: post, when: acked, http: https://search.example.com/changed, rate: 30/m}
- name: old
  when: acked:nas
  tcp: 192.168.138.20:8009
  format: sersync
  match: ["+ */", "+ *.php", "- *"]
- {unix: /run/x.sock, reply: true, gather: 2s}
- {cdn: {site: https://www.example.com/}}
- {name: cf, cdn: {site: [https://a.example/, https://b.example/x], preset: cloudflare, url: "https://api.example/zones/z/purge", headers_file: /etc/cf}}
`)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Sources[0].Sinks
	if len(got) != 6 {
		t.Fatalf("%d sinks", len(got))
	}
	if k := got[0]; k.Name != "command" || k.Kind != SinkCommand || k.Format != FormatPaths || k.When != Journaled || k.Batch != 500 || k.Timeout != time.Minute || len(k.Command) != 2 {
		t.Errorf("command: %+v", k)
	}
	if k := got[1]; k.Kind != SinkHTTP || k.HTTP.Method != "POST" || k.Format != FormatJSON || k.Rate != 0.5 {
		t.Errorf("http: %+v", k)
	}
	if by, acked := got[2].AckedBy(); by != "nas" || !acked || got[2].Format != FormatSersync || !got[2].Filter.Match("a/b.txt", false).Excluded {
		t.Errorf("tcp: %+v", got[2])
	}
	if k := got[4]; k.CDN.URL != "{url}" || k.CDN.Method != "PURGE" {
		t.Errorf("cdn: %+v", k)
	}
	if k := got[5]; k.CDN.Method != "POST" || k.Batch != 30 || len(k.CDN.Headers) != 1 || !strings.Contains(k.CDN.Body, "{urls_json}") {
		t.Errorf("cloudflare: %+v", k)
	}
	if names := strings.Join(c.SinkNames(), " "); names != "www/command www/post www/old www/unix www/cdn www/cf" {
		t.Errorf("names: %s", names)
	}
	text, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("test.yaml", []byte(text), Options{RealPath: func(p string) string { return p }})
	if err != nil {
		t.Fatalf("shown configuration does not parse: %v\n%s", err, text)
	}
	if text2, _ := again.Show(); stripComments(text2) != stripComments(text) {
		t.Errorf("shown again:\n%s\nfirst:\n%s", text2, text)
	}
}

func stripComments(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(strings.TrimRight(line, "\n"), " # ")
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func TestSinkWithoutRemotes(t *testing.T) {
	if _, err := Parse("t", []byte("sources:\n  - {path: /d, sinks: [{command: [x]}]}\n"), Options{}); err != nil {
		t.Error(err)
	}
	_, err := Parse("t", []byte("sources:\n  - {path: /d, sinks: [{command: [x], when: acked}]}\n"), Options{})
	if err == nil || !strings.Contains(err.Error(), "needs a remote") {
		t.Error(err)
	}
}

func TestSinkErrors(t *testing.T) {
	for text, want := range map[string]string{
		"- {name: x}":                                                "needs one of command, http, tcp, unix, cdn",
		`- {command: [x], tcp: "a:1"}`:                               "command and tcp",
		"- {command: [./x]}":                                         "absolute path",
		"- {command: [x], format: sersync}":                          `no "sersync"`,
		"- {command: [x], reply: true}":                              "reply is for",
		"- {command: [x], when: later}":                              "acked:REMOTE",
		`- {command: [x], when: "acked:na"}`:                         `no remote "na" (did you mean "nas"?)`,
		"- {command: [x], name: nas}":                                "taken by the remote",
		"- {command: [x]}\n- {command: [y]}":                         "taken by the sink",
		"- {command: [x], name: _x}":                                 "begins with a letter",
		"- {http: ftp://x}":                                          "http://",
		`- {http: "https://u:p@x/"}`:                                 "headers_file",
		`- {http: {url: "http://x", headers: {Authorization: abc}}}`: "is a secret",
		`- {http: {url: "http://x", headers: {"A b": abc}}}`:         "Name: value",
		"- {tcp: somewhere}":                                         "HOST:PORT",
		`- {cdn: {site: "https://x/?a"}}`:                            "without ?",
		`- {cdn: {site: "https://x/", url: "https://y/?u={url}"}}`:   "{urls_query}",
		`- {cdn: {site: "https://x/", url: "https://y/{who}"}}`:      "unknown placeholder",
		`- {cdn: {site: "https://x/", url: "https://y/"}}`:           "names no address",
		`- {cdn: {site: "https://x/", preset: sersync}}`:             "cdn.user",
		`- {cdn: {site: "https://x/", preset: cloudflare}}`:          "cdn.url",
		"- {command: [x], rate: fast}":                               "10/s",
		`- {command: [x], match: ["*.php"]}`:                         "*.php",
		"- {command: [x], http: {method: POST}}":                     "no meaning beside command",
		"- {comand: [x]}":                                            `did you mean "command"`,
		"- {command: [x], retry: {initial: 10m, max: 1m}}":           "below retry.initial",
	} {
		_, err := sinkConfig(t, text+"\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\n  want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "abc") && strings.Contains(text, "Authorization") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
}
