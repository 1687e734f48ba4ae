package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
)

func notifyConfig(list string) (*Config, error) {
	text := "sources:\n  - {path: /data/www, remotes: [web1::www, {name: nas, target: nas::www}], sinks: [{command: [x]}]}\nnotify:\n"
	for line := range strings.Lines(list) {
		text += "  " + line
	}
	return Parse("test.yaml", []byte(text), fixed)
}

const notifiers = `- webhook: {url_file: /etc/gorsyncd/dingtalk.url, format: dingtalk, secret_file: "credential:ding"}
- {name: ops, on: [failing, recovered], remotes: ["*/nas", www/command], after: 0s, repeat: 0, language: zh, webhook: "https://chat.example.com/hooks/SECRETTOKEN?key=SECRETTOKEN"}
- {heartbeat: 1m, max_lag: 1h, fail: true, webhook: "https://hc-ping.com/SECRETTOKEN"}
- {name: beat, heartbeat: 30s, command: [/usr/local/bin/beat]}
- email: {server: "smtp.example.com:465", from: gorsyncd@example.com, to: ["Ops <ops@example.com>", b@example.com], user: u, password_file: /etc/gorsyncd/mail.pass}
- {name: local, email: {server: "127.0.0.1:25", tls: none, from: a@example.com, to: b@example.com}}
- command: [/usr/local/bin/tell, --now]
`

func TestNotifiers(t *testing.T) {
	c, err := notifyConfig(notifiers)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range c.Notify {
		names = append(names, n.String())
	}
	want := []string{"dingtalk (dingtalk)", "ops (json)", "heartbeat (healthchecks)", "beat (command)", "email (email)", "local (email)", "command (command)"}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	if n := c.Notify[4]; n.Email.TLS != "tls" || n.Email.Auth != "auto" || len(n.Email.To) != 2 {
		t.Errorf("%+v", n)
	}
	if n := c.Notify[0].Located("/run/credentials"); n.Webhook.SecretFile != "/run/credentials/ding" || c.Notify[0].Webhook.SecretFile != "credential:ding" {
		t.Errorf("%+v", n)
	}
	if err := c.CheckCredentials(""); err == nil || !strings.Contains(err.Error(), "webhook.secret_file") {
		t.Errorf("%v", err)
	}
	text, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "SECRETTOKEN") || !strings.Contains(text, "url: https://chat.example.com/***") {
		t.Errorf("shown:\n%s", text)
	}
	again, err := Parse("test.yaml", []byte(text), fixed)
	if err != nil {
		t.Fatalf("shown configuration does not parse: %v\n%s", err, text)
	}
	for i := range c.Notify {
		a, b := c.Notify[i], again.Notify[i]
		a.Webhook.URL, b.Webhook.URL = "", ""
		if !a.Same(b) {
			t.Errorf("%s is another one after it was shown", a.Name)
		}
	}
	other, err := notifyConfig(strings.Replace(notifiers, "SECRETTOKEN?", "ANOTHERTOKEN?", 1))
	if err != nil || c.Notify[1].Same(other.Notify[1]) || !c.Notify[0].Same(other.Notify[0]) {
		t.Errorf("a new address is not noticed, or an old one is: %v", err)
	}
}

func TestDefaultsOfNotifiers(t *testing.T) {
	c, err := notifyConfig("- command: [x]\n")
	if err != nil {
		t.Fatal(err)
	}
	n := c.Notify[0]
	if n.After != 5*time.Minute || n.Repeat != 24*time.Hour || n.Grace != time.Minute || n.MaxLag != 10*time.Minute || n.Language != "en" ||
		n.Timeout != 30*time.Second || n.Retry != (Retry{5 * time.Second, 5 * time.Minute, 0.5}) || n.Heartbeat != 0 || n.Fail || len(n.Remotes) != 0 {
		t.Errorf("%+v", n)
	}
	if len(n.On) != len(notify.Kinds)+1 {
		t.Errorf("on: %v", Texts(n.On))
	}
	if c := parse(t, string(read(t, "testdata/valid/minimal.yaml"))); len(c.Notify) != 0 {
		t.Errorf("without notify: %+v", c.Notify)
	}
}

func TestNotifyErrors(t *testing.T) {
	for text, want := range map[string]string{
		"- {name: x}":     "4:5: a notifier needs one of webhook (with url or url_file), email, command",
		"- {webhook: {}}": "needs one of webhook",
		"- {command: [x], webhook: 'https://h/SECRETTOKEN'}":                                       "command and webhook",
		"- {webhook: 'ftp://h/SECRETTOKEN'}":                                                       "http://",
		"- {webhook: 'https://u:SECRETTOKEN@h/'}":                                                  "headers_file",
		"- {webhook: {url_file: SECRETTOKEN}}":                                                     "must be the absolute path",
		"- {webhook: {url: 'https://h/SECRETTOKEN', url_file: /x}}":                                "either webhook.url or webhook.url_file",
		"- {webhook: {url: 'https://h/SECRETTOKEN', format: dingding}}":                            `unknown value "dingding", known are json, slack, ntfy, dingtalk, wecom, feishu, healthchecks`,
		"- {webhook: {url: 'https://h/SECRETTOKEN', format: slack, secret_file: /x}}":              "slack has no signature",
		"- {webhook: {url: 'https://h/SECRETTOKEN', headers: {Authorization: SECRETTOKEN}}}":       "is a secret",
		"- {webhook: {url: 'https://h/SECRETTOKEN', format: healthchecks}}":                        "takes heartbeats",
		"- {heartbeat: 1m, webhook: {url: 'https://h/SECRETTOKEN', format: slack}}":                "not for slack",
		"- {heartbeat: 10ms, command: [x]}":                                                        "too often",
		"- {heartbeat: 1m, after: 1m, command: [x]}":                                               "after has no meaning beside heartbeat",
		"- {fail: true, command: [x]}":                                                             "fail has no meaning",
		"- {on: [failling], command: [x]}":                                                         `did you mean "failing"`,
		"- {remotes: [ww/nas], command: [x]}":                                                      `4:16: remotes: no remote or sink is called "ww/nas" (did you mean "www/nas"?)`,
		"- {remotes: ['[a'], command: [x]}":                                                        "is not a name or a pattern",
		"- {command: [x]}\n- {command: [y]}":                                                       "taken by the notifier in line 4",
		"- {command: [./x]}":                                                                       "absolute path",
		"- {comand: [x]}":                                                                          `did you mean "command"`,
		"- {command: [x], after: 5}":                                                               "has no unit",
		"- {command: [x], grace: 2h}":                                                              "is not between",
		"- {command: [x], language: de}":                                                           "known are en, zh",
		"- {command: [x], retry: {initial: 10m, max: 1m}}":                                         "below retry.initial",
		"- {command: [x], email: {auth: login}}":                                                   "email.auth has no meaning beside command",
		"- {email: {server: 'h:25', to: a@example.com}}":                                           "email needs from",
		"- {email: {server: 'h:25', from: a@example.com}}":                                         "email needs to",
		"- {email: {server: 'h', from: a@example.com, to: b@example.com}}":                         "HOST:PORT",
		"- {email: {server: 'h:25', tls: none, from: a@example.com, to: b@example.com}}":           "only for a server on this machine",
		"- {email: {server: 'h:25', from: a@example.com, to: b@example.com, user: u}}":             "go together",
		"- {email: {server: 'h:25', from: a@example.com, to: [\"b\\nBcc: c@example.com\"]}}":       "is not a mail address",
		"- {email: {server: 'h:25', from: a@example.com, to: b@example.com, password: hunter2}}":   "password must not stand in this file",
		"- {email: {server: 'h:25', from: a, to: b@example.com, user: u, password_file: hunter2}}": "must be the absolute path",
		"- webhook": "a notifier must be a mapping",
	} {
		_, err := notifyConfig(text + "\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\n  want %q", text, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "SECRETTOKEN") || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("a secret is shown: %v", err)
		}
	}
	if _, err := Parse("t", []byte("sources: [{path: /a, remotes: ['h::m']}]\nnotify: {command: [x]}\n"), fixed); err == nil || !strings.Contains(err.Error(), "notify must be a list") {
		t.Errorf("%v", err)
	}
}
