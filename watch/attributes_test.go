package watch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/journal"
)

// journals lists what is journaled of do, as "path", "path!" where content is to be
// compared, and "-path" for a removal. Only the newest entry of a path counts.
func (r *rig) journals(do func()) []string {
	r.t.Helper()
	src := r.o.Index.(*journal.Source)
	head := src.Head()
	do()
	entries, err := src.Entries(head+1, 1<<20)
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		switch {
		case e.Op == journal.OpRemove:
			out = append(out, "-"+e.Path)
		case e.Flags&journal.FlagChecksum != 0:
			out = append(out, e.Path+"!")
		default:
			out = append(out, e.Path)
		}
	}
	slices.Sort(out)
	return out
}

// TestAttributesLater: attributes that change alone are passed over, and hide no
// write.
func TestAttributesLater(t *testing.T) { onBoth(t, testAttributesLater) }

func testAttributesLater(t *testing.T) {
	for _, c := range []struct {
		script string // parts are separated by a fence
		want   string
	}{
		{`chmod 600 d/g`, ""},
		{`chown 1:2 d/g d/f`, ""},
		{`rm d/s|chmod -R g+w .; chown -R 1 .`, "-d/s"},
		{`chmod 600 d/g; chmod 640 d/g|chmod 600 d/g`, ""},
		{`chmod 700 d; touch d .`, ""},
		{`touch d/new`, "d/new"},
		{`mkdir new`, "new"},
		{`echo more >> d/g`, "d/g"},
		{`touch d/g`, "d/g"},
		{`chmod 600 d/g|echo more >> d/g`, "d/g"},
		{`rm d/g`, "-d/g"},
		{`mv d/g e/g`, "-d/g e/g"},
		{`ln -s x d/g2; chown -h 1 d/s`, "d/g2 d/s"},
		{`w d/g; chmod 600 d/g`, "d/g!"},
		{`chmod 600 d/g; w d/g`, "d/g!"},
		{`w d/g|chmod 600 d/g`, "d/g!"},
		{`chmod 600 d/g|w d/g`, "d/g!"},
		{`chmod 600 d/g|w d/g; chmod 640 d/g`, "d/g!"},
		{`chmod 600 d/f; w many/7; chmod 600 many/*`, "many/7!"},
	} {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.journaled()
			r.o.AttributesLater = true
			r.sh(`mkdir d e many; echo 1 > d/f; echo 2 > d/g; ln -s y d/s; for i in {1..600}; do echo $i > many/$i; done
				find . -type f -exec touch -d '1 hour ago' {} +`)
			time.Sleep(2 * confirmAfter)
			r.start()
			r.waitReady()
			r.settled()
			got := r.journals(func() {
				for part := range strings.SplitSeq(c.script, "|") {
					r.sh(quietWrite + part)
					r.fence()
					time.Sleep(2 * confirmAfter) // what is racy is looked at again
					r.fence()
				}
			})
			// What is journaled twice may be compared for that.
			ok := slices.EqualFunc(got, strings.Fields(c.want), func(g, w string) bool {
				return g == w || strings.TrimSuffix(g, "!") == w
			})
			if !ok {
				t.Errorf("journaled %q, want %q", got, c.want)
			}
			r.settled()
		})
	}
}

// restart stops the tree and starts it again, with something done in between.
func (r *rig) restart(between func()) {
	r.t.Helper()
	if err := r.stop(); err != nil && !errors.Is(err, context.Canceled) {
		r.t.Fatal(err)
	}
	between()
	r.start()
	r.waitReady()
	r.settled()
}

// TestAttributesToldAgain: where attributes always count, a scan finds all that
// were passed over; where they still do not, it finds none of them.
func TestAttributesToldAgain(t *testing.T) { onBoth(t, testAttributesToldAgain) }

func testAttributesToldAgain(t *testing.T) {
	r := newRig(t)
	r.journaled()
	r.o.AttributesLater = true
	r.sh(`mkdir -p d/e; echo 1 > d/f; echo 2 > d/g; echo 3 > d/e/h; find . -type f -exec touch -d '1 hour ago' {} +`)
	time.Sleep(2 * confirmAfter)
	r.start()
	r.waitReady()
	r.settled()
	step := func(what, want string, do func()) {
		t.Helper()
		if got := strings.Join(r.journals(do), " "); got != want {
			t.Errorf("%s: journaled %q, want %q", what, got, want)
		}
	}
	step("passed over", "", func() {
		r.sh(`chmod 600 d/f; chown 1 d/e/h; chmod 700 d/e`)
		r.fence()
		time.Sleep(3 * confirmAfter)
		r.settled()
	})
	step("a restart", "", func() { r.restart(func() {}) })
	step("always again", "d/e d/e/h d/f", func() { r.restart(func() { r.o.AttributesLater = false }) })
	step("and once", "", func() { r.restart(func() {}) })
	step("later again", "", func() { r.restart(func() { r.o.AttributesLater = true }) })
	step("while nobody watched", "d/g!", func() { r.restart(func() { r.sh(`chmod 600 d/g; chmod 750 d`) }) })
}
