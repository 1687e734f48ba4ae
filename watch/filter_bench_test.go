package watch

import (
	"fmt"
	"testing"
)

// BenchmarkFilter matches paths that no rule excludes, which is the dearest case
// and the usual one.
func BenchmarkFilter(b *testing.B) {
	for _, rules := range []int{0, 10, 100} {
		var list []Rule
		for i := range rules {
			list = append(list, Rule{Text: []string{"- *.tmp%d", "- /cache%d/", "- logs/**/%d.log", "+ /keep%d/*.jpg", "- .git%d/"}[i%5]})
			list[i].Text = fmt.Sprintf(list[i].Text, i)
		}
		f, err := ParseFilter(list)
		if err != nil {
			b.Fatal(err)
		}
		for _, path := range []string{"index.html", "www/site/img/2026/11/29/photo.jpg"} {
			b.Run(fmt.Sprintf("rules=%d/path=%d", rules, len(path)), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if f.Match(path, false).Excluded {
						b.Fatal(path)
					}
				}
			})
		}
	}
}
