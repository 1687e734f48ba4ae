package lab

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// ShiftClock sets the clock of the whole machine forth or back and returns
// what puts it right again, by the clock that cannot be set. Needs root.
func ShiftClock(by time.Duration) (restore func() error, err error) {
	wall, mono, err := clocks()
	if err != nil {
		return nil, err
	}
	set := func(t int64) error {
		ts := unix.NsecToTimespec(t)
		if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
			return fmt.Errorf("set clock: %w", err)
		}
		return nil
	}
	if err := set(wall + int64(by)); err != nil {
		if errors.Is(err, unix.EPERM) {
			return nil, unsupported("setting the clock", "needs root")
		}
		return nil, err
	}
	return func() error {
		_, now, err := clocks()
		if err != nil {
			return err
		}
		return set(wall + now - mono)
	}, nil
}

// clocks reads both clocks, in ns.
func clocks() (wall, mono int64, err error) {
	var w, m unix.Timespec
	if err := errors.Join(unix.ClockGettime(unix.CLOCK_REALTIME, &w), unix.ClockGettime(unix.CLOCK_BOOTTIME, &m)); err != nil {
		return 0, 0, fmt.Errorf("read clocks: %w", err)
	}
	return w.Nano(), m.Nano(), nil
}
