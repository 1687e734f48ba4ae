package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestBWLimitByTime(t *testing.T) {
	c := parse(t, string(read(t, "testdata/valid/bwlimit.yaml")))
	want := []BWLimit{
		{[]TimedRate{{"Sat,Sun 00:00-24:00", 0}, {"08:00-20:00", 5 << 20}, {"CRON_TZ=Asia/Shanghai Mon-Fri 22:00-06:00", 100 << 20}}, 50 << 20},
		{[]TimedRate{{"22:00-06:00", 1 << 20}}, 0},
		{nil, 20 << 20},
	}
	for i, r := range c.Sources[0].Remotes {
		if !reflect.DeepEqual(r.BWLimit, want[i]) {
			t.Errorf("%s: %+v, want %+v", r.Name, r.BWLimit, want[i])
		}
		if r.BWLimit.Limit() == nil {
			t.Errorf("%s: no limit came of it", r.Name)
		}
	}
	out, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	if line := `bwlimit: {"Sat,Sun 00:00-24:00": 0, "08:00-20:00": 5M, "CRON_TZ=Asia/Shanghai Mon-Fri 22:00-06:00": 100M, otherwise: 50M}`; !strings.Contains(out, line) {
		t.Errorf("%s is missing in:\n%s", line, out)
	}
}
