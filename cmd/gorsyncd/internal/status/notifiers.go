package status

import (
	"fmt"

	"gorsyncd/cmd/gorsyncd/internal/notify"
)

// notifierLines name the notifiers that cannot deliver, and the heartbeats that are
// withheld. That changes no exit status: it is not about what is replicated.
func (s Status) notifierLines() []string {
	var lines []string
	for _, n := range s.Notifiers {
		if n.State == notify.StateFailing {
			line := fmt.Sprintf("notifier %s (%s) cannot deliver: %s %s; attempt %d", n.Name, n.Kind, n.ErrorID, n.LastError, n.Failures)
			if n.NextRetry != nil && (n.Waiting > 0 || n.Heartbeat != nil) {
				line += ", next in " + Duration(n.NextRetry.Sub(s.Time))
			}
			if n.Hint != "" {
				line += ": " + n.Hint
			}
			lines = append(lines, line)
		}
		if h := n.Heartbeat; h != nil && h.Withheld != "" {
			lines = append(lines, fmt.Sprintf("heartbeat %s is withheld: %s", n.Name, h.Withheld))
		}
	}
	return lines
}
