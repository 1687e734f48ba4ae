package replicate

import "time"

// Meter counts what a remote does. It is called by the goroutine of Run: it must
// neither wait nor keep what it is given.
type Meter interface {
	// Transferred tells of a batch that has ended, however it did.
	Transferred(Transfer)
	// Retried tells of a failed attempt: of class ClassEntry for one path or
	// directory, of ClassTransient or ClassConfig for the remote as a whole.
	Retried(Class)
}

// Transfer is a batch that has ended.
type Transfer struct {
	Class    Class // what it came to
	Exit     int   // of rsync; -1 when none has run
	Compared bool  // another rsync has found out what of it arrived
	Recheck  int   // exit of that one
	Duration time.Duration

	Files, Deleted uint64
	Bytes          int64 // of files, at their full size
	WireBytes      int64
}

type unmetered struct{}

func (unmetered) Transferred(Transfer) {}
func (unmetered) Retried(Class)        {}

// metered tells the meter of a batch that carried so many bytes of files.
func (d *Dispatcher) metered(rep *report, bytes int64) {
	r := &rep.res
	t := Transfer{Class: r.Outcome.Class, Exit: r.Exit, Duration: r.Duration, Files: r.Files, Deleted: r.Deleted,
		Bytes: bytes, WireBytes: r.Sent + r.Received}
	if v := rep.verify; v != nil {
		t.Compared, t.Recheck = true, v.Exit
		t.Duration += v.Duration
		t.WireBytes += v.Sent + v.Received
	}
	d.o.Meter.Transferred(t)
}

// failedOnce counts a failed attempt of a path or a directory.
func (d *Dispatcher) failedOnce() {
	d.stats.retries++
	d.o.Meter.Retried(ClassEntry)
}

// observers are told one after the other.
type observers []Observer

// Observers returns an Observer that passes on to each of list what it is told.
func Observers(list ...Observer) Observer { return observers(list) }

func (l observers) Delivered(at, since time.Time) {
	for _, o := range l {
		o.Delivered(at, since)
	}
}

func (l observers) Carried(at time.Time, bytes int64) {
	for _, o := range l {
		o.Carried(at, bytes)
	}
}

func (l observers) Health(at time.Time, errorID string) {
	for _, o := range l {
		o.Health(at, errorID)
	}
}

func (l observers) Ended(e Ending) {
	for _, o := range l {
		o.Ended(e)
	}
}
