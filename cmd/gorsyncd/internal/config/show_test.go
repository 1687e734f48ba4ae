package config

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// withoutPlaces drops what a file that says the same in other lines may have
// different.
func withoutPlaces(c *Config) *Config {
	c.File, c.origins = "", nil
	for i := range c.HTTP.Hosts {
		c.HTTP.Hosts[i].Pos = Pos{}
	}
	for i := range c.Sources {
		s := &c.Sources[i]
		s.Pos, s.origins, s.Filter = Pos{}, nil, nil
		s.settings = Settings{Rules: s.settings.Rules, Exclude: s.settings.Exclude}
		noPlaces(&s.settings)
		for j := range s.Remotes {
			r := &s.Remotes[j]
			r.Pos, r.origins, r.Filter = Pos{}, nil, nil
			noPlaces(&r.Settings)
		}
		for j := range s.Sinks {
			k := &s.Sinks[j]
			k.Pos, k.origins, k.Filter = Pos{}, nil, nil
			for _, f := range sinkFields {
				if list, ok := f.get(&k.SinkSettings).([]Item); ok {
					for i := range list {
						list[i].Pos = Pos{}
					}
				}
			}
		}
	}
	for i := range c.Notify {
		n := &c.Notify[i]
		n.Pos, n.origins = Pos{}, nil
		for _, f := range notifyFields {
			if list, ok := f.get(&n.NotifySettings).([]Item); ok {
				for i := range list {
					list[i].Pos = Pos{}
				}
			}
		}
	}
	return c
}

func noPlaces(s *Settings) {
	for _, list := range [][]Item{s.SSH.Options, s.Rsync.Args, s.Rules, s.Exclude} {
		for i := range list {
			list[i].Pos = Pos{}
		}
	}
}

func TestShowReadsBackTheSame(t *testing.T) {
	for _, f := range append(glob(t, "testdata/valid/*.yaml"), "reference.yaml") {
		t.Run(filepath.Base(f), func(t *testing.T) {
			checkShow(t, read(t, f))
		})
	}
}

func checkShow(t *testing.T, data []byte) {
	t.Helper()
	c, err := Parse("test.yaml", data, fixed)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse("shown.yaml", []byte(out), fixed)
	if err != nil {
		t.Fatalf("%v\nin:\n%s", err, out)
	}
	var before, after []string
	for _, s := range c.Sources {
		for _, r := range s.Remotes {
			before = append(before, r.Filter.Args()...)
		}
	}
	for _, s := range back.Sources {
		for _, r := range s.Remotes {
			after = append(after, r.Filter.Args()...)
		}
	}
	if !reflect.DeepEqual(before, after) {
		t.Errorf("filters %q became %q", before, after)
	}
	if got, want := withoutPlaces(back), withoutPlaces(c); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v\nfrom:\n%s", got, want, out)
	}
}

func TestShowNamesOrigins(t *testing.T) {
	c := parse(t, string(read(t, "testdata/valid/nearest.yaml")))
	out, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"name: a # default\n",
		"path: /srv/a # test.yaml:2\n",
		"workers: 9 # test.yaml:8\n",
		"workers: 2 # test.yaml:3\n",
		"files: 10 # test.yaml:4\n",
		"bytes: 2M # test.yaml:16\n",
		"timeout: 1m # default\n",
		"password_file: /etc/pass # test.yaml:15\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(Reference))
	for _, s := range []string{
		"sources: [{path: /a, remotes: [h::m]}]",
		"a: &x [*x]", "? : :", "sources: [*a]", "{", "\xff\xfe", "sources: {a: 1}\ndefaults: [1]",
		"sources:\n- path: /\n  remotes: ['h::m']\n  full_sync: {schedule: 'CRON_TZ=X * * * * *'}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := Parse("fuzz.yaml", data, fixed)
		if err == nil {
			checkShow(t, data)
			return
		}
		for _, r := range err.Error() {
			if r < 0x20 && r != '\n' || r == 0x7f {
				t.Fatalf("control character %q in %q", r, err)
			}
		}
	})
}

// TestShowHidesSecretHeaders: who looks at the status page sees what Show shows.
func TestShowHidesSecretHeaders(t *testing.T) {
	c := parse(t, `
notify:
  - webhook: {url: "https://h.example/hook", headers: {X-Api-Key: hunter2, X-Team: backup}}
sources:
  - path: /data
    remotes: ["nas::m"]
    sinks:
      - {name: hook, http: {url: "https://h.example/changed", headers: {X-Auth-Token: hunter2, X-Team: backup}}}
`)
	text, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "hunter2") || strings.Count(text, "X-Team: backup") != 2 || !strings.Contains(text, "X-Api-Key") || !strings.Contains(text, "X-Auth-Token") {
		t.Errorf("%s", text)
	}
}
