package control

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"gorsyncd/journal"
)

// TestFailingPathsInPages: what is taken in page by page comes to the same as all at
// once, and no more is kept than what is shown.
func TestFailingPathsInPages(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		var all []journal.Retry
		failing, most := uint64(0), 0
		for i := range r.IntN(500) {
			n := r.IntN(4)
			all = append(all, journal.Retry{Path: fmt.Sprintf("%04d", i), Attempts: n})
			if most = max(most, n); n > 0 {
				failing++
			}
		}
		var once, paged RemoteReport
		once.SetFailing(all)
		paged.SetFailing(nil)
		for rest := all; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			paged.AddFailing(rest[:n])
			rest = rest[n:]
			if cap(paged.Worst) > maxWorst {
				t.Fatalf("%d are kept", cap(paged.Worst))
			}
		}
		if !reflect.DeepEqual(once, paged) || paged.Failing != failing || failing > 0 && paged.Worst[0].Attempts != most {
			t.Fatalf("at once %+v\nin pages %+v", once, paged)
		}
	}
}
