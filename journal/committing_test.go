package journal

import (
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// TestCommitting: a commit that does not end is seen from outside.
func TestCommitting(t *testing.T) {
	j := openTest(t)
	src, err := j.Source("s")
	if err != nil {
		t.Fatal(err)
	}
	begun, busy := j.Committing()
	for end := time.Now().Add(10 * time.Second); busy; begun, busy = j.Committing() { // who asked is answered first
		if time.Now().After(end) {
			t.Fatal("busy at rest")
		}
		time.Sleep(time.Millisecond)
	}
	enter, leave := make(chan struct{}), make(chan struct{})
	j.commitTxn = func(txn *badger.Txn) error {
		close(enter)
		<-leave
		return txn.Commit()
	}
	done := make(chan error, 1)
	go func() {
		_, err := src.Remote("r")
		done <- err
	}()
	<-enter
	for range 2 {
		if n, busy := j.Committing(); n != begun+1 || !busy {
			t.Errorf("under way: %d begun, busy %v; %d before", n, busy, begun)
		}
		time.Sleep(time.Millisecond)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	j.commitTxn = (*badger.Txn).Commit
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if n, busy := j.Committing(); n == begun+1 && !busy {
			return
		} else if time.Now().After(end) {
			t.Fatalf("afterwards: %d begun, busy %v", n, busy)
		}
	}
}
