package metrics

import "gorsyncd/replicate"

var remoteFamilies = []family{
	{"remote_state", "1 for the state that the remote is in.", gauge, func(s *snapshot, w writer) {
		for i := range s.Remotes {
			oneHot(w, s.remotes[i], remoteStates, string(s.Remotes[i].State))
		}
	}},
	{"remote_cursor_seq", "Every entry of the source up to this one is on the remote, or in its retry set.", gauge, ofRemotes(func(r *replicate.Status) float64 { return float64(r.CursorSeq) })},
	{"remote_lag_entries", "Entries that are not on the remote.", gauge, ofRemotes(func(r *replicate.Status) float64 { return float64(r.LagEntries) })},
	{"remote_lag_seconds", "Age of the oldest change that is not on the remote.", gauge, ofRemotes(func(r *replicate.Status) float64 { return r.LagSeconds })},
	{"remote_lag_bytes", "Size of what is not on the remote, as far as it is known.", gauge, ofRemotes(func(r *replicate.Status) float64 { return float64(r.LagBytes) })},
	{"remote_failing_entries", "Paths that have failed and are tried again.", gauge, ofRemotes(func(r *replicate.Status) float64 { return float64(r.Failing) })},
	{"remote_last_success_timestamp_seconds", "When the remote last took something, 0 for never.", gauge, ofRemotes(func(r *replicate.Status) float64 { return unix(r.LastSuccess) })},
	{"remote_next_retry_timestamp_seconds", "When what failed is tried again, 0 when nothing waits for that.", gauge, ofRemotes(func(r *replicate.Status) float64 {
		if r.Error == nil {
			return 0
		}
		return unix(r.Error.NextRetry)
	})},
	{"remote_workers_busy", "Transfers under way.", gauge, ofRemotes(func(r *replicate.Status) float64 { return float64(len(r.InFlight)) })},
	{"transfers_total", "Transfers that have ended, by what they came to.", counter, func(s *snapshot, w writer) {
		for i, c := range s.counts {
			for j := range results {
				w.add(s.remotes[i], resultLabels[j], float64(c.transfers[j].Load()))
			}
		}
	}},
	{"transferred_files_total", "Regular files that were sent.", counter, ofCounts(func(c *Counts) uint64 { return c.files.Load() })},
	{"transferred_bytes_total", "Bytes of changed files that were sent, at their full size; those of a full sync are known on the wire only.", counter, ofCounts(func(c *Counts) uint64 { return c.bytes.Load() })},
	{"transferred_wire_bytes_total", "Bytes on the wire, in both directions.", counter, ofCounts(func(c *Counts) uint64 { return c.wire.Load() })},
	{"deleted_files_total", "Paths that were removed from the remote.", counter, ofCounts(func(c *Counts) uint64 { return c.deleted.Load() })},
	{"retries_total", "Attempts that failed and are repeated: of a path (entry), or of the remote as a whole.", counter, func(s *snapshot, w writer) {
		for i, c := range s.counts {
			for j := range retryClasses {
				w.add(s.remotes[i], retryLabels[j], float64(c.retries[j].Load()))
			}
		}
	}},
	{"rsync_exits_total", "Ends of rsync by exit code; none is for those that did not run to their end.", counter, func(s *snapshot, w writer) {
		for i, c := range s.counts {
			for code := range c.exits {
				if n := c.exits[code].Load(); n > 0 || usual[code] {
					w.add(s.remotes[i], exitLabels[code], float64(n))
				}
			}
		}
	}},
	{"transfer_duration_seconds", "How long transfers took, with the comparison after one that was partial.", histogram, func(s *snapshot, w writer) {
		for i, c := range s.counts {
			w.histogram(s.remotes[i], c.duration)
		}
	}},
	{"replication_latency_seconds", "From the journaling of a change until it was on the remote.", histogram, func(s *snapshot, w writer) {
		for i, c := range s.counts {
			w.histogram(s.remotes[i], c.latency)
		}
	}},
	{"full_syncs_total", "Full syncs that have come to their end.", counter, ofCounts(func(c *Counts) uint64 { return c.fulls.Load() })},
	{"full_sync_last_success_timestamp_seconds", "When a full sync last came to its end, 0 for never.", gauge, ofRemotes(func(r *replicate.Status) float64 { return unix(r.LastFull) })},
	{"full_sync_running", "1 while a full sync is due or under way.", gauge, ofRemotes(func(r *replicate.Status) float64 { return flag(r.FullSync != nil) })},
	{"verifies_total", "Comparisons with the source, by what they came to.", counter, func(s *snapshot, w writer) {
		for i, c := range s.counts {
			for j := range verifyResults {
				w.add(s.remotes[i], verifyLabels[j], float64(c.verifies[j].Load()))
			}
		}
	}},
	{"verify_last_timestamp_seconds", "When a comparison last ended, 0 for never.", gauge, ofRemotes(func(r *replicate.Status) float64 {
		if r.Verify == nil {
			return 0
		}
		return unix(r.Verify.Last)
	})},
	{"verify_differences", "Paths that are known to differ from the source and that nothing is on its way to repair.", gauge, ofRemotes(func(r *replicate.Status) float64 {
		if r.Verify == nil {
			return 0
		}
		return float64(r.Verify.Unrepaired)
	})},
}
