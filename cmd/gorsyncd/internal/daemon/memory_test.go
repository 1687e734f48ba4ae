package daemon

import "testing"

func TestMemoryIsGivenBackOnce(t *testing.T) {
	var m memory
	const mb = 1 << 20
	for i, c := range []struct {
		allocated, live, objects, free uint64
		want                           bool
	}{
		{500 * mb, 100 * mb, 300 * mb, 0, false},        // busy
		{501 * mb, 100 * mb, 301 * mb, 0, true},         // quiet: 200 MB are garbage
		{502 * mb, 100 * mb, 110 * mb, 500 * mb, false}, // once
		{900 * mb, 100 * mb, 120 * mb, 40 * mb, false},  // busy again
		{901 * mb, 100 * mb, 101 * mb, 40 * mb, true},
		{990 * mb, 100 * mb, 101 * mb, 0, false},
		{991 * mb, 100 * mb, 102 * mb, 4 * mb, false}, // not worth it
		{992 * mb, 100 * mb, 90 * mb, 4 * mb, false},
	} {
		if got := m.due(c.allocated, c.live, c.objects, c.free); got != c.want {
			t.Errorf("round %d: %v", i, got)
		}
	}
}
