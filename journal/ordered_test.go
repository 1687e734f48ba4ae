package journal

import (
	"fmt"
	"math/rand"
	"testing"
)

// listed is children with what the records are.
func listed(t testing.TB, children func(string, func(string, Record, bool) error) error, dir string) (list []string) {
	t.Helper()
	err := children(dir, func(name string, r Record, trusted bool) error {
		list = append(list, fmt.Sprint(name, r.State, r.ObservedAt, r.LastSeq, r.Since, trusted))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestWalkIsChildren walks a tree again and again, in order and out of it, while
// it changes, with more and less room than there are records.
func TestWalkIsChildren(t *testing.T) {
	for _, room := range []int{1, 2, 7, 40, walkSize} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewSource(int64(room)))
			j := reopen(t, Options{Dir: memoryDir(t)})
			s := source(t, j)
			ack(t, remote(t, s, "r"), 0)
			record(t, s, dir("", 1))
			names := []string{"a", "a!", "a\x01", "b", "c"}
			path := func() string {
				p := ""
				for range 1 + rnd.Intn(4) {
					if p != "" {
						p += "/"
					}
					p += names[rnd.Intn(len(names))]
				}
				return p
			}
			ino := uint64(10)
			change := func() {
				ino++
				switch p := path(); rnd.Intn(4) {
				case 0:
					record(t, s, gone(p))
				case 1:
					record(t, s, dir(p, ino))
				default:
					record(t, s, file(p, ino, int64(ino)))
				}
			}
			var visit func(w *Walk, dir string, churn int)
			visit = func(w *Walk, dir string, churn int) {
				want, got := listed(t, s.Children, dir), listed(t, w.Children, dir)
				equal(t, dir, got, want)
				for _, name := range names {
					if churn > 0 && rnd.Intn(churn) == 0 {
						change()
					}
					sub := name
					if dir != "" {
						sub = dir + "/" + name
					}
					if len(sub) < 12 && (len(want) > 0 || rnd.Intn(3) == 0) {
						visit(w, sub, churn)
					}
				}
			}
			w := s.Walk()
			w.size = room
			for i := range 15 {
				for range 10 {
					change()
				}
				if i%5 == 4 {
					ack(t, remote(t, s, "r"), s.Head())
					maintain(t, j)
				}
				visit(w, "", []int{0, 3, 40}[i%3])
				if i%5 == 4 {
					old := w
					w = s.Walk()
					w.size = room
					equal(t, "by a former walk", listed(t, old.Children, "a"), listed(t, s.Children, "a"))
				}
			}
			closeChecked(t, j)
		})
	}
}
