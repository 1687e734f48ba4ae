package offline

import (
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

// sink is the state of a sink as the journal knows it. Its backlog is counted in
// entries: which of them it would be told of is for the daemon to say.
func (v *View) sink(sc config.Source, kc config.Sink, now time.Time) (sink.Status, error) {
	k := sink.Status{Name: sc.FullSinkName(kc), Source: sc.Name, Sink: kc.Name, Kind: string(kc.Kind), State: replicate.StateStarting}
	src, rem, err := v.find(sc.Name, sink.JournalName(kc.Name))
	if err != nil || rem == nil {
		return k, err
	}
	cursor, state := rem.Cursor(), rem.State()
	r := replicate.Status{State: replicate.StateStarting}
	if err := v.lag(&r, src, rem, now); err != nil {
		return k, err
	}
	retries, err := rem.Retries()
	if err != nil {
		return k, err
	}
	failing(&r, retries)
	if f := rem.FullSync(); f != nil && f.Reason != journal.NewRemote {
		k.Resync = &sink.ResyncStatus{Reason: f.Reason, Since: f.Started}
	}
	judge(&r, state)
	if k.Resync != nil && r.State == replicate.StateInSync {
		r.State = replicate.StateStarting
	}
	k.CursorSeq, k.HeadSeq, k.LastSuccess = cursor.Low, src.Head(), moment(state.LastSuccess)
	k.LagEntries, k.LagSeconds, k.Failing, k.Error, k.State, k.Paused = r.LagEntries, r.LagSeconds, r.Failing, r.Error, r.State, r.Paused
	return k, nil
}
