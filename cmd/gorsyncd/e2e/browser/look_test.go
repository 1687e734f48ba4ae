package browser

import (
	"fmt"
	"testing"
	"time"
)

// TestLooks keeps pictures of the page in each language, width and scheme, and
// demands that it fits.
func TestLooks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	st := newStage(t, busy(now))
	st.furnish(now)
	for _, l := range []look{
		{1280, 900, false, "en-US", false}, {1280, 900, true, "zh-CN,zh;q=0.9", false},
		{360, 740, false, "zh-CN", false}, {360, 740, true, "en", false},
	} {
		name := fmt.Sprintf("busy-%d-%s-%v", l.wide, l.lang[:2], map[bool]string{true: "dark", false: "light"}[l.dark])
		t.Run(name, func(t *testing.T) {
			p := open(t, l, st.URL)
			p.wait("events", `document.querySelector("html[data-js]") && document.querySelectorAll("#events tr").length === 60 && document.querySelector("#failing").children.length === 6`, 10*time.Second)
			p.fits()
			p.readable()
			p.shot(name)
		})
	}
}
