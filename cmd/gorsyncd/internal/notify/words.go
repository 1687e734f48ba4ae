package notify

import "fmt"

// Language is that of a message's text.
type Language string

const (
	English Language = "en"
	Chinese Language = "zh"
)

// words are what a text is made of.
type words struct {
	is       map[Kind]string // www/nas is failing
	was      map[Kind]string
	count    map[Kind]string // 3 failing
	subject  map[string]string
	on       string // host
	since    string
	breaks   func(n int) string
	hint     string
	run      string
	still    string
	worse    string
	ended    string // format: subject, was, from, to, how long
	gone     string
	steady   string // the end of a crash: subject, since
	untold   string
	more     func(n int) string
	problems func(n int) string
	recover  func(n int) string
	test     [2]string
	beat     string
	flat     string
	comma    string
	aside    string // in brackets
}

func counted(one, many string) func(int) string {
	return func(n int) string {
		if n == 1 {
			return one
		}
		return fmt.Sprintf(many, n)
	}
}

var english = words{
	is: map[Kind]string{Failing: "is failing", Held: "is held", Retrying: "fails, and is tried again", Lagging: "is too far behind", Diverged: "differs from its source",
		Sink: "cannot be told of changes", Journal: "is full, or nearly", Watch: "is not watched completely", Reload: "has refused its new configuration", Crash: "was started after an end that was not orderly"},
	was: map[Kind]string{Failing: "was failing", Held: "was held", Retrying: "failed, and was tried again", Lagging: "was too far behind", Diverged: "differed from its source",
		Sink: "could not be told of changes", Journal: "was full, or nearly", Watch: "was not watched completely", Reload: "had refused its new configuration", Crash: "had ended in disorder"},
	count: map[Kind]string{Failing: "%d failing", Held: "%d held", Retrying: "%d retrying", Lagging: "%d behind", Diverged: "%d different",
		Sink: "%d sinks", Journal: "journal", Watch: "%d not watched", Reload: "configuration", Crash: "crash"},
	subject:  map[string]string{SubjectJournal: "the journal", SubjectSelf: "gorsyncd"},
	on:       "gorsyncd on %s: ",
	since:    "since %s (%s)",
	breaks:   counted("interrupted once", "interrupted %d times"),
	hint:     "hint: ",
	run:      "run: ",
	still:    "still, ",
	worse:    "now, ",
	ended:    "%s has recovered: it %s from %s to %s (%s)",
	steady:   "%s has run in order since %s",
	gone:     "%s is no longer configured; it %s from %s to %s (%s)",
	untold:   "This could not be delivered before.",
	more:     counted("… and one more: gorsyncd status", "… and %d more: gorsyncd status"),
	problems: counted("1 problem", "%d problems"), recover: counted("1 recovered", "%d recovered"),
	test:  [2]string{"test message", "This is a test. Messages of gorsyncd on %s arrive here, by the notifier %s."},
	beat:  "all remotes are up to date",
	flat:  "not well: %s",
	comma: ", ",
	aside: " (%s)",
}

var chinese = words{
	is: map[Kind]string{Failing: "出错，需要人工处理", Held: "已被保护机制暂停，等待批准", Retrying: "失败，正在自动重试", Lagging: "落后太多", Diverged: "与源目录不一致",
		Sink: "无法收到变更通知", Journal: "已满或快满", Watch: "没有被完整监视", Reload: "拒绝了新的配置", Crash: "上次没有正常结束，已重新启动"},
	was: map[Kind]string{Failing: "出错", Held: "被暂停", Retrying: "失败并自动重试", Lagging: "落后太多", Diverged: "与源目录不一致",
		Sink: "无法收到变更通知", Journal: "已满或快满", Watch: "没有被完整监视", Reload: "拒绝了新的配置", Crash: "没有正常结束"},
	count: map[Kind]string{Failing: "%d 个出错", Held: "%d 个暂停", Retrying: "%d 个重试中", Lagging: "%d 个落后", Diverged: "%d 个不一致",
		Sink: "%d 个 sink", Journal: "日志", Watch: "%d 个监视不全", Reload: "配置", Crash: "异常结束"},
	subject:  map[string]string{SubjectJournal: "journal（日志）", SubjectSelf: "gorsyncd"},
	on:       "%s 上的 gorsyncd：",
	since:    "自 %s 起（%s）",
	breaks:   counted("期间中断 1 次", "期间中断 %d 次"),
	hint:     "提示：",
	run:      "执行：",
	still:    "仍然如此，",
	worse:    "现在，",
	ended:    "%s 已恢复：曾%s，从 %s 到 %s（%s）",
	steady:   "%s 自 %s 起运行正常",
	gone:     "%s 已从配置中移除；曾%s，从 %s 到 %s（%s）",
	untold:   "此前未能送达。",
	more:     counted("……还有 1 项：gorsyncd status", "……还有 %d 项：gorsyncd status"),
	problems: counted("1 个问题", "%d 个问题"), recover: counted("1 个已恢复", "%d 个已恢复"),
	test:  [2]string{"测试消息", "这是一条测试消息。%s 上的 gorsyncd 的通知会通过 %s 发送到这里。"},
	beat:  "所有远端都是最新的",
	flat:  "不正常：%s",
	comma: "，",
	aside: "（%s）",
}

func (l Language) words() *words {
	if l == Chinese {
		return &chinese
	}
	return &english
}

// Subjects that are no source, remote or sink.
const (
	SubjectJournal = "journal"
	SubjectSelf    = "gorsyncd"
)
