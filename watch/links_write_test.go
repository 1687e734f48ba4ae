package watch

import (
	"testing"
	"time"
)

// TestWriteThroughANameThatGoes: a file is written through one name, which is
// removed before anything was looked at. No event names the other one.
func TestWriteThroughANameThatGoes(t *testing.T) { onBoth(t, testWriteThroughANameThatGoes) }

func testWriteThroughANameThatGoes(t *testing.T) {
	for _, c := range []string{
		`echo more >> l; rm l`,
		`echo more >> l; mv l x; rm x`,
		`echo more >> l; mv e/x l`,
		`echo more >> l; rm l; ln -s d l`,
		`echo more >> l; rm l; mkdir l`,
		`mv l e/l; echo more >> e/l; rm e/l`,
		`chmod 600 l; rm l`,
		`ln d/f k; echo more >> k; rm k`,
		`ln d/f k; echo more >> k; rm k l`,
		`ln e/x k; echo more >> k; rm k`,
		`mv l e/l; echo more >> e/l; rm -r e`,
		`mkdir t; ln e/x t/k; echo more >> t/k; rm -r t`,
		`ln e/x e/k; echo more >> e/k; mv e/k k; rm k`,
		`ln e/x k; echo more >> k; echo new > n; mv n k`,
		`ln e/x k; echo more >> k; rm k; echo new > k`,
		`for i in $(seq 600); do echo > n$i; done; ln e/x k; echo more >> k; echo new > n; mv n k`,
		`for i in $(seq 600); do echo > n$i; done; ln e/x k; echo more >> k; rm k n*`,
	} {
		for _, how := range []string{"", "restarted", "settling"} {
			t.Run(c+" "+how, func(t *testing.T) {
				t.Parallel()
				r := startTree(t, func(r *rig) {
					r.sh(`mkdir d e; echo 1 > d/f; ln d/f l; echo 2 > e/x`)
					if how == "settling" { // so that all events come before the first look
						r.o.Settle = 200 * time.Millisecond
					}
				})
				r.settled()
				if how == "restarted" {
					r.stop()
					r.start()
					r.waitReady()
				}
				r.sh(c)
				r.fence()
				if d := r.diff(); len(d) > 0 {
					t.Errorf("%q", d)
				}
			})
		}
	}
}
