package status

import (
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/replicate"
)

// rows are the remotes and, behind them, the sinks as rows of the same table.
func (s *Status) rows() []replicate.Status {
	if len(s.Sinks) == 0 {
		return s.Remotes
	}
	rows := append([]replicate.Status(nil), s.Remotes...)
	for i := range s.Sinks {
		k := &s.Sinks[i]
		rows = append(rows, replicate.Status{
			Name: k.Name, Source: k.Source, Target: k.Target, State: k.State, LagEntries: k.LagEntries, LagSeconds: k.LagSeconds,
			LastSuccess: k.LastSuccess, Failing: k.Failing, Paused: k.Paused, Error: k.Error,
		})
	}
	return rows
}

// sinkOf is the sink of that name, nil for a remote.
func (s *Status) sinkOf(name string) *sink.Status {
	for i := range s.Sinks {
		if s.Sinks[i].Name == name {
			return &s.Sinks[i]
		}
	}
	return nil
}

// sinkNote: waits for nas; was not told everything (journal lost).
func sinkNote(k *sink.Status) []string {
	var parts []string
	if k.Resync != nil {
		parts = append(parts, "was not told everything ("+k.Resync.Reason+"), and is to be told so")
	}
	if k.WaitsFor != "" && k.Error == nil && k.State == replicate.StateSyncing {
		parts = append(parts, "waits for "+k.Source+"/"+k.WaitsFor)
	}
	return parts
}
