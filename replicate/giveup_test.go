package replicate

import (
	"errors"
	"testing"
	"time"

	"gorsyncd/journal"
)

// TestGiveUp: the cursor goes to the head, and what a full sync would not see
// goes to the retry set, or the full sync compares content.
func TestGiveUp(t *testing.T) {
	now := time.Now()
	for _, n := range []uint64{maxContentOnly, maxContentOnly + 3} {
		feed, store := flagged{memJournal: newMemJournal(t.TempDir()), n: n}, newMemRemote(1)
		store.cursor.Done = []journal.Range{{From: 3, To: 3}}
		store.retries["p2"] = journal.Retry{Path: "p2", Seq: 1, Op: journal.OpRemove, Attempts: 7, ErrorID: "E-X", First: now.Add(-time.Hour)}
		if err := GiveUp(t.Context(), feed, store, "r", "full", wallClock{}); err != nil {
			t.Fatal(err)
		}
		left := int(n) - 2 // of which 1 and 3 are done
		many := left > maxContentOnly
		if c := store.Cursor(); c.Low != n || len(c.Done) != 0 {
			t.Errorf("%d: cursor %+v", n, c)
		}
		if f := store.FullSync(); f == nil || f.Reason != "full" || f.Checksum != many || f.Started.Before(now) || f.Behind.IsZero() {
			t.Errorf("%d: full sync %+v", n, f)
		}
		want := left
		if many {
			want = 1
		}
		if len(store.retries) != want {
			t.Errorf("%d: %d retry records, want %d", n, len(store.retries), want)
		}
		if rec := store.retries["p2"]; !many && (rec.Op != journal.OpChange || rec.Seq != 2 || rec.Flags&journal.FlagChecksum == 0 || rec.Attempts != 7 || !rec.Since.Equal(rec.First)) {
			t.Errorf("%d: %+v", n, rec)
		}
		if _, there := store.retries["p3"]; there {
			t.Errorf("%d: what is done is to be sent again", n)
		}
	}
	store := newMemRemote(0)
	store.full = &journal.FullSync{Reason: "old", Checksum: true, Sub: "d", Begun: true}
	none := errors.New("no journal")
	if err := GiveUp(t.Context(), flagged{memJournal: newMemJournal(t.TempDir()), n: 9, err: none}, store, "r", "full", wallClock{}); !errors.Is(err, none) || store.commits != 0 {
		t.Errorf("the cursor is given up although the journal cannot be read: %v", err)
	}
	if err := GiveUp(t.Context(), flagged{memJournal: newMemJournal(t.TempDir())}, store, "r", "full", wallClock{}); err != nil {
		t.Fatal(err)
	}
	if f := store.FullSync(); !f.Checksum || f.Sub != "" || f.Begun {
		t.Errorf("the wish to compare contents is lost: %+v", f)
	}
}
