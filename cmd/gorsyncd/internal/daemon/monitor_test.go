package daemon

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAtOnce: hundreds that hang are waited for together, and stay in order.
func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := make([]int, 500)
		for i := range list {
			list[i] = i
		}
		start := time.Now()
		got := atOnce(list, func(i int) int { time.Sleep(time.Second); return -i })
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s", took)
		}
		for i, v := range got {
			if v != -i {
				t.Fatalf("%d answered %d", i, v)
			}
		}
	})
}
