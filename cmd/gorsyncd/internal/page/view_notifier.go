package page

import (
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/notify"
)

// NotifierView is a notifier and whether it gets through.
type NotifierView struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Target  string `json:"target"`
	Level   string `json:"level"`
	Icon    string `json:"icon"`
	Word    string `json:"word"`
	ID      string `json:"id"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	Last    int64  `json:"last"` // success
	Due     int64  `json:"due"`  // the next attempt
	Note    string `json:"note"` // why a heartbeat is not sent
}

func (m *maker) notifiers() []NotifierView {
	out := []NotifierView{}
	for i := range m.s.Notifiers {
		out = append(out, m.notifier(&m.s.Notifiers[i]))
	}
	return out
}

func (m *maker) notifier(n *notify.Status) NotifierView {
	v := NotifierView{Name: names.Printable(n.Name), Kind: n.Kind, Target: names.Printable(n.Target), Level: levelBusy, Icon: "i-wait",
		Word: m.say("notifier." + n.State), Last: millis(n.LastSuccess)}
	if h := n.Heartbeat; h != nil && h.Withheld != "" {
		v.Note = m.say("notifier.withheld", "why", names.Printable(h.Withheld))
	}
	switch n.State {
	case notify.StateOK:
		v.Level, v.Icon = levelOK, "i-ok"
	case notify.StateFailing:
		v.Level, v.Icon = levelBad, "i-bad"
		v.ID, v.Message, v.Hint, v.Due = n.ErrorID, names.Printable(n.LastError), names.Printable(n.Hint), millis(n.NextRetry)
	}
	return v
}
