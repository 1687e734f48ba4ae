package daemon

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

func TestPatienceWaitsForSpaceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patience{log: quiet}
		left, start := 5, time.Now()
		err := p.until(t.Context(), func() error {
			if left--; left >= 0 {
				return fmt.Errorf("write: %w", journal.ErrNoSpace)
			}
			if p.reason() == "" {
				t.Error("the reason is not shown while it waits")
			}
			return nil
		})
		if err != nil || time.Since(start) != 5*spacePoll || p.reason() != "" {
			t.Errorf("%v after %s, reason %q", err, time.Since(start), p.reason())
		}

		other := errors.New("disk on fire")
		if err := p.until(t.Context(), func() error { return other }); err != other {
			t.Errorf("another failure: %v", err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 3*spacePoll/2)
		defer cancel()
		err = p.until(ctx, func() error { return journal.ErrNoSpace })
		if !errors.Is(err, journal.ErrNoSpace) {
			t.Errorf("when the context ends: %v", err)
		}
	})
}
