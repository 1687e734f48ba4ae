package page

import (
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

func TestVerdict(t *testing.T) {
	with := func(s status.Status, change func(*status.Status)) status.Status {
		change(&s)
		return s
	}
	const sync, held, failing = replicate.StateInSync, replicate.StateHeld, replicate.StateFailing
	for _, c := range []struct {
		name          string
		s             status.Status
		level, en, zh string
	}{
		{"nothing", withRemotes(), levelWarn, "No remote is configured", "尚未配置任何远端"},
		{"just started", status.New(now, status.FromDaemon), levelBusy, "Starting: the sources are not open yet", "正在启动：源目录尚未打开"},
		{"one", withRemotes(sync), levelOK, "The remote is in sync", "远端已同步"},
		{"all", withRemotes(sync, sync), levelOK, "All 2 remotes in sync", "2 个远端全部已同步"},
		{"with a sink", with(withRemotes(sync), func(s *status.Status) { s.Sinks = []sink.Status{{Name: "s/k", State: sync}} }), levelOK, "In sync: 1 remote and 1 sink", "1 个远端和1 个事件接收端全部已同步"},
		{"a sink fails", with(withRemotes(sync), func(s *status.Status) { s.Sinks = []sink.Status{{Name: "s/k", State: failing}} }), levelBad, "1 of 2 needs you: s/k is failing", "2 个远端中有 1 个需要处理：s/k 故障"},
		{"starting", withRemotes(replicate.StateStarting, replicate.StateFullSync), levelBusy, "2 of 2 not in sync: s/starting is starting, s/full_sync is full sync", "2 个远端中有 2 个尚未同步：s/starting 正在启动、s/full_sync 全量同步中"},
		{"retrying", withRemotes(sync, replicate.StateRetrying), levelWarn, "1 of 2 not in sync: s/retrying is retrying", "2 个远端中有 1 个尚未同步：s/retrying 重试中"},
		{"paused", withRemotes(replicate.StatePaused), levelWarn, "1 of 1 not in sync: s/paused is paused", "1 个远端中有 1 个尚未同步：s/paused 已暂停"},
		{"outside of its window", withRemotes(replicate.StateWaiting), levelBusy, "1 of 1 not in sync: s/waiting is waiting", "1 个远端中有 1 个尚未同步：s/waiting 等待时间窗口"},
		{"held", withRemotes(sync, sync, sync, held), levelBad, "1 of 4 needs you: s/held is held", "4 个远端中有 1 个需要处理：s/held 待批准"},
		{"many", withRemotes(held, held, failing, failing, failing), levelBad, "5 of 5 need you: s/held is held, s/held is held, s/failing is failing and 2 more", "5 个远端中有 5 个需要处理：s/held 待批准、s/held 待批准、s/failing 故障 等，另有 2 个"},
		{"the journal is full", with(withRemotes(sync), func(s *status.Status) { s.Journal.Waiting = "no space" }), levelBad, "1 thing needs you: the journal cannot be written", "有 1 处需要处理：日志无法写入"},
		{"a source is held", with(withRemotes(sync), func(s *status.Status) { s.Sources[0].State = watch.StateHeld }), levelBad, "1 thing needs you: source s is held", "有 1 处需要处理：源 s 待批准"},
		{"not scanned yet", with(withRemotes(sync), func(s *status.Status) { s.Sources[0].State = watch.StateScanning }), levelBusy, "The remote is in sync; source s is being scanned, what changed while gorsyncd did not run is not known yet", "远端已同步；正在扫描源 s，gorsyncd 未运行期间的变更尚不清楚"},
		{"scanned again", with(withRemotes(sync), func(s *status.Status) { s.Sources[0].State, s.Sources[0].Scans = watch.StateScanning, 1 }), levelOK, "The remote is in sync", "远端已同步"},
		{"a refused reload", with(withRemotes(sync), func(s *status.Status) { s.Daemon.LastReloadError = "x" }), levelWarn, "The remote is in sync; the last change of the configuration was refused", "远端已同步；最近一次配置变更被拒绝"},
		{"a reload refused beside trouble", with(withRemotes(held), func(s *status.Status) { s.Daemon.LastReloadError = "x" }), levelBad, "1 of 1 needs you: s/held is held; the last change of the configuration was refused", "1 个远端中有 1 个需要处理：s/held 待批准；最近一次配置变更被拒绝"},
		{"nearly full", with(withRemotes(sync), func(s *status.Status) { s.Journal.SizeBytes, s.Journal.MaxBytes = 95, 100 }), levelWarn, "The remote is in sync; the journal is nearly full", "远端已同步；日志空间即将用尽"},
		{"a notifier fails", with(withRemotes(sync), func(s *status.Status) { s.Notifiers = []notify.Status{{Name: "ops", State: notify.StateFailing}} }), levelWarn, "The remote is in sync; notifications by ops do not get through", "远端已同步；通知渠道 ops 发送失败"},
		{"not running", with(withRemotes(sync), func(s *status.Status) { s.From = status.FromJournal; s.Daemon = nil }), levelBad, "gorsyncd is not running; when it ended: The remote is in sync", "gorsyncd 未运行；结束时的状态：远端已同步"},
		{"a hostile name", withRemotes("\x1b"), levelBusy, `1 of 1 not in sync: s/\x1b is state.` + "\x1b", `1 个远端中有 1 个尚未同步：s/\x1b state.` + "\x1b"},
	} {
		if c.name == "a hostile name" {
			c.s.Remotes[0].State = replicate.StateSyncing
			c.en, c.zh = `1 of 1 not in sync: s/\x1b is syncing`, `1 个远端中有 1 个尚未同步：s/\x1b 同步中`
		}
		for lang, want := range map[string]string{"en": c.en, "zh": c.zh} {
			if v := NewView(c.s, lang, "").Verdict; v.Text != want || v.Level != c.level || v.Icon != "i-"+c.level {
				t.Errorf("%s: %+v, want %s %q", c.name, v, c.level, want)
			}
		}
		// The page never sees less trouble than the exit status of the command line.
		v := NewView(c.s, "en", "").Verdict
		if bad := c.s.ExitCode() == status.ExitProblem; bad != (v.Level == levelBad) && c.s.From == status.FromDaemon || v.Level == levelOK && c.s.ExitCode() != status.ExitOK {
			t.Errorf("%s: level %s, exit status %d", c.name, v.Level, c.s.ExitCode())
		}
	}
}
