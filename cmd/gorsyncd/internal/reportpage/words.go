package reportpage

import "gorsyncd/cmd/gorsyncd/internal/names"

// words are the texts of the page in one language.
type words struct {
	Lang, Title, Period, To, Summary, Remote                                         string
	Availability, Lag99, LagWorst, BehindNow, Changes, Bytes, Down, Stopped, Failing string
	OutagesTitle, Begin, End, Took, Cause, Lasts, NotRunning                         string
	PathsTitle, Path, Attempts, First                                                string
	RunsTitle, What, Result, FullSync, Verify, FullResult, NotComplete, Equal        string
	Differences, ByContent                                                           string
	LagTitle, LagText, TrafficTitle, TrafficText                                     string
	NoData, NoDataAtAll, KnownSince, More, Offline, Legend, Footer                   string
	NoRemotes, NothingKnown, AllUp, SomeDown, SomeFailing                            string
}

// languages are the languages that there are.
var languages = map[string]words{"en": english, "zh": chinese}

var english = words{
	Lang: "en", Title: "Replication report", Period: "From", To: "to", Summary: "All remotes", Remote: "Remote",
	Availability: "Available", Lag99: "99 % delivered within", LagWorst: "Longest behind", BehindNow: "Behind at the end", Changes: "Changes",
	Bytes: "Bytes", Down: "Down by errors", Stopped: "gorsyncd not running", Failing: "Paths failing",
	OutagesTitle: "Outages", Begin: "Begin", End: "End", Took: "Took", Cause: "Cause", Lasts: "lasts", NotRunning: "gorsyncd was not running",
	PathsTitle: "Paths that fail", Path: "Path", Attempts: "Attempts", First: "Since",
	RunsTitle: "Full syncs and verifies", What: "What", Result: "Result", FullSync: "full sync", Verify: "verify",
	FullResult: "%s directories (%s)", NotComplete: "not to its end: %s", Equal: "equal, %s paths",
	Differences: "%s differences in %s paths, %s repaired", ByContent: ", by content",
	LagTitle: "Longest time behind, hour by hour.", LagText: "At most %s behind.",
	TrafficTitle: "Bytes delivered per hour.", TrafficText: "%s in all.",
	NoData: "no data", NoDataAtAll: "Nothing is known of this time.", KnownSince: "Known since %s.", More: "more",
	Offline: "gorsyncd was not running when this was made; this is what it has left.",
	Legend:  "Bars: the longest time behind. Lines across them: 99 % of the changes arrived within. Red: an outage. Hatched: gorsyncd was not running, or no data. No bar: nothing was to be delivered. Hours for a week, days before.",
	Footer:  "Made by gorsyncd report. Available is the part of the known time in which a remote could be delivered to; outages, and times in which gorsyncd was not running, are not. Delays are upper bounds, at most 26 % above the truth.",

	NoRemotes: "No remote is configured.", NothingKnown: "Nothing is known of this time.",
	AllUp:       "All %d remotes could be delivered to, in all of the time that is known.",
	SomeDown:    "%d of %d remotes were not available all of the time, the longest %s, for %s.",
	SomeFailing: "Remotes with failing paths: %d.",
}

var chinese = words{
	Lang: "zh-CN", Title: "复制报告", Period: "从", To: "到", Summary: "全部远端", Remote: "远端",
	Availability: "可用率", Lag99: "99 % 的变更送达时间", LagWorst: "最长落后", BehindNow: "期末落后", Changes: "变更数",
	Bytes: "字节数", Down: "因错误中断", Stopped: "gorsyncd 未运行", Failing: "失败路径",
	OutagesTitle: "中断", Begin: "开始", End: "结束", Took: "持续", Cause: "原因", Lasts: "仍在持续", NotRunning: "gorsyncd 未运行",
	PathsTitle: "失败的路径", Path: "路径", Attempts: "尝试次数", First: "自",
	RunsTitle: "全量同步与校验", What: "类型", Result: "结果", FullSync: "全量同步", Verify: "校验",
	FullResult: "%s 个目录（%s）", NotComplete: "未完成：%s", Equal: "一致，%s 个路径",
	Differences: "%s 处差异，共 %s 个路径，已修复 %s 处", ByContent: "（按内容）",
	LagTitle: "每小时最长落后时间。", LagText: "最长落后 %s。",
	TrafficTitle: "每小时送达字节数。", TrafficText: "共 %s。",
	NoData: "无数据", NoDataAtAll: "这段时间没有任何记录。", KnownSince: "记录始于 %s。", More: "条未列出",
	Offline: "生成本报告时 gorsyncd 未运行，内容来自其留下的文件。",
	Legend:  "柱：最长落后时间。柱上横线：99 % 的变更在此时间内送达。红色：中断。斜线：gorsyncd 未运行或无数据。无柱：没有需要送达的变更。最近一周按小时，更早按天。",
	Footer:  "由 gorsyncd report 生成。可用率是有记录的时间中远端可以送达的部分；中断以及 gorsyncd 未运行的时间不计入。延迟为上限，最多比实际高 26 %。",

	NoRemotes: "没有配置远端。", NothingKnown: "这段时间没有任何记录。",
	AllUp:       "在有记录的时间内，全部 %d 个远端始终可以送达。",
	SomeDown:    "%d / %d 个远端并非始终可用；最久的是 %s，共 %s。",
	SomeFailing: "%d 个远端上有失败的路径。",
}

// outageCause is the error of an outage.
func outageCause(p part) string { return names.Printable(p.ErrorID) }
