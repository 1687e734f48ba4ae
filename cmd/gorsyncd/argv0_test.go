package main

import (
	"strings"
	"testing"
)

func TestFromSersync(t *testing.T) {
	for line, want := range map[string]string{
		"":                                "run --sersync confxml.xml",
		"-d -r -o /etc/confxml.xml":       "run --detach --sersync /etc/confxml.xml",
		"-dro /etc/confxml.xml":           "run --detach --sersync /etc/confxml.xml",
		"-r -d -n 20 -o a.xml -o b.xml":   "run --detach --sersync a.xml --sersync b.xml --workers 20",
		"-n20 -oa.xml":                    "run --sersync a.xml --workers 20",
		"-m socket":                       "run --sersync confxml.xml --plugin socket",
		"-x":                              "run -x --sersync confxml.xml",
		"-o a.xml --state-dir /var/lib/a": "run --state-dir /var/lib/a --sersync a.xml",
		"-o":                              "run --sersync ",
	} {
		ours, help := fromSersync(strings.Fields(line))
		if got := strings.Join(ours, " "); got != want || help {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	if _, help := fromSersync([]string{"-dh"}); !help {
		t.Error("-h is no help")
	}
	for name, want := range map[string]bool{"sersync2": true, "/usr/local/sersync/sersync2": true, "sersync": true, "gorsyncd": false, "/opt/sersync2/gorsyncd": false} {
		if isSersync(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
