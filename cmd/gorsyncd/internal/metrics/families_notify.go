package metrics

import "gorsyncd/cmd/gorsyncd/internal/notify"

var notifierStates = labelsOf("state", notify.StateOK, notify.StateFailing, notify.StatePending)

// ofNotifiers is a value of each notifier.
func ofNotifiers(value func(*notify.Status) float64) func(*snapshot, writer) {
	return func(s *snapshot, w writer) {
		for i := range s.Notifiers {
			w.add(s.notifiers[i], nil, value(&s.Notifiers[i]))
		}
	}
}

var notifierFamilies = []family{
	{"notifier_state", "1 for the state that the notifier is in.", gauge, func(s *snapshot, w writer) {
		for i := range s.Notifiers {
			oneHot(w, s.notifiers[i], notifierStates, s.Notifiers[i].State)
		}
	}},
	{"notifier_last_success_timestamp_seconds", "When the notifier last delivered something, 0 for never.", gauge, ofNotifiers(func(n *notify.Status) float64 { return unix(n.LastSuccess) })},
	{"notifier_waiting_messages", "Messages that are to be delivered.", gauge, ofNotifiers(func(n *notify.Status) float64 { return float64(n.Waiting) })},
	{"notifications_total", "Attempts to deliver a message, by what came of them.", counter, func(s *snapshot, w writer) {
		for i := range s.Notifiers {
			n := &s.Notifiers[i]
			w.add(s.notifiers[i], deliveredLabel, float64(n.Delivered))
			w.add(s.notifiers[i], failedLabel, float64(n.Attempts-min(n.Delivered, n.Attempts)))
		}
	}},
}

var failedLabel = newLabel("result", "failed")
