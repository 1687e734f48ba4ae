package explain

import (
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/watch"
)

func TestText(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	at := func(ago time.Duration) *time.Time { t := now.Add(-ago); return &t }
	for _, c := range []struct {
		name string
		e    control.Explanation
		want string
	}{
		{"on its way", control.Explanation{Path: names.NewPath("/www/a\n\xff"), Source: "www", Exists: true, Type: "file", SizeBytes: 49357, Modified: at(3 * time.Minute), Watched: true,
			Entry: &control.EntryInfo{Seq: 184201, Op: "change", Time: now.Add(-178 * time.Second)},
			Remotes: []control.RemotePath{{Remote: "www/web1", State: "acked"}, {Remote: "www/dr", State: "queued", Position: 1204},
				{Remote: "www/报表", State: "failing", ErrorID: "E-CONNECT", Message: "refused\x1b", Attempts: 19, NextRetry: at(-250 * time.Second)}}},
			`/www/a\n\xff        source www, file, 48 KiB, modified 3m ago
filter   included (no rule matches)
watch    yes
journal  #184201 change 2m58s ago
  www/web1  delivered
  www/dr    queued     number 1 204 in the queue
  www/报表  failing    E-CONNECT refused\x1b, attempt 19, next try in 4m10s
`},
		{"excluded", control.Explanation{Path: names.NewPath("/www/cache/x"), Source: "www", Filter: watch.Verdict{Excluded: true, Rule: "- /cache/", Origin: "g.yaml:6", By: "cache"}},
			`/www/cache/x        source www, does not exist
filter   EXCLUDED by "- /cache/" (g.yaml:6), through its directory cache – never sent
`},
		{"unchanged", control.Explanation{Path: names.NewPath("/www/d"), Source: "www", Exists: true, Type: "directory", WatchNote: "no watch left", Behind: true, Filter: watch.Verdict{Rule: "+ /d/", Origin: "g.yaml:7"}},
			`/www/d        source www, directory
filter   included by "+ /d/" (g.yaml:7)
watch    no (no watch left)
journal  no entry: unchanged for as long as entries are kept
later    its attributes have changed, and go with its next change of content (attributes: with_content)
`},
	} {
		if got := Text(c.e, now); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}
