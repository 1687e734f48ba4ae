package main

import (
	"bytes"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/control"
)

func TestFlushLine(t *testing.T) {
	v := &flushView{app: newApp(&bytes.Buffer{}, &bytes.Buffer{})}
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
}
