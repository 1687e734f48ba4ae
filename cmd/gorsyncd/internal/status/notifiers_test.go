package status

import (
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
)

// TestNotifiersAreShown where they need a look, and change no exit status.
func TestNotifiersAreShown(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	next := now.Add(4 * time.Minute)
	s := New(now, FromDaemon)
	s.Notifiers = []notify.Status{
		{Name: "ok", Kind: "slack", State: notify.StateOK},
		{Name: "ops", Kind: "dingtalk", State: notify.StateFailing, ErrorID: "E-NOTIFY-ANSWER", LastError: "DingTalk answered 310000", Hint: "its keyword", Failures: 3, Waiting: 2, NextRetry: &next},
		{Name: "hc", Kind: "healthchecks", State: notify.StateOK, Heartbeat: &notify.HeartbeatStatus{EverySeconds: 60, Withheld: "www/nas is failing"}},
	}
	text := s.Text(false)
	for _, want := range []string{"notifier ops (dingtalk) cannot deliver: E-NOTIFY-ANSWER DingTalk answered 310000; attempt 3, next in 4m: its keyword\n", "heartbeat hc is withheld: www/nas is failing\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "ok (slack)") || s.ExitCode() != ExitOK {
		t.Errorf("exit %d\n%s", s.ExitCode(), text)
	}
}
