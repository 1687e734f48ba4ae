package main

import (
	"bytes"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/control"
)

func TestFlushLine(t *testing.T) {
	a := newApp(&bytes.Buffer{}, &bytes.Buffer{})
	v := &flushView{app: a, progress: newProgressLine(a)}
	show := func(p control.FlushProgress, want string) {
		t.Helper()
		if err := v.show(p); err != nil {
			t.Fatal(err)
		}
		if got := v.line(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	show(control.FlushProgress{Remote: "www/web1", Seq: 184223, Done: true}, "waiting for #184223  www/web1 ✓")
	show(control.FlushProgress{Remote: "www/dr", Seq: 184223, Left: 1204}, "waiting for #184223  www/web1 ✓  www/dr 1 204 left")
	show(control.FlushProgress{Remote: "www/dr", Seq: 184223, Done: true}, "waiting for #184223  www/web1 ✓  www/dr 1 204 → 0 ✓")
	show(control.FlushProgress{Remote: "bbs/n\x1b", Seq: 7, Left: 1}, `waiting  www/web1 ✓  www/dr 1 204 → 0 ✓  bbs/n\x1b 1 left`)
	if got := v.names(); got != `www/web1, www/dr, bbs/n\x1b` {
		t.Errorf("names %q", got)
	}
	show(control.FlushProgress{Remote: "bbs/n\x1b", Seq: 7, Left: 2, LeftBytes: 3 << 20, Rate: 1 << 20, State: "retrying", ErrorID: "E-CONNECT", Message: "refused\x07"},
		`waiting  www/web1 ✓  www/dr 1 204 → 0 ✓  bbs/n\x1b 2 left (3.0 MiB, ~3s), retrying: E-CONNECT refused\a`)
	show(control.FlushProgress{Remote: "a/b", Seq: 7, Left: 9, State: "syncing"},
		`waiting  www/web1 ✓  www/dr 1 204 → 0 ✓  bbs/n\x1b 2 left (3.0 MiB, ~3s), retrying: E-CONNECT refused\a  a/b 9 left`)
	if got, want := v.shortLine(), `2 of 4 ✓  a/b 9 left  bbs/n\x1b 2 left (3.0 MiB, ~3s), retrying: E-CONNECT refused\a`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
