package channel

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// verdict is what the answer of a robot says in its body.
type verdict struct {
	ErrCode    *int   `json:"errcode"`
	ErrMsg     string `json:"errmsg"`
	Code       *int   `json:"code"`
	Msg        string `json:"msg"`
	StatusCode *int   `json:"StatusCode"`
	StatusMsg  string `json:"StatusMessage"`
}

// said is the code and the text of DingTalk and WeCom, told that of Feishu, whose
// older answers have other keys. The code is nil when there is none.
func (v *verdict) said() (*int, string) { return v.ErrCode, v.ErrMsg }

func (v *verdict) told() (*int, string) {
	code, text := v.Code, v.Msg
	if code == nil || *code == 0 && v.StatusCode != nil && *v.StatusCode != 0 {
		code = v.StatusCode
	}
	if text == "" {
		text = v.StatusMsg
	}
	return code, text
}

// robot is what the answers of one service mean. Codes that are not listed are for a
// person, who is told gone.
type robot struct {
	name    string
	read    func(*verdict) (*int, string)
	limits  map[int]time.Duration // too many messages: how long nothing is taken
	busy    int                   // worth another attempt; 0 for none
	hints   map[int]string        // what a person has to see to
	gone    string
	limited func(code int, text string) bool // a limit that only its text tells; nil for none
}

var dingTalk = robot{
	name:   "DingTalk",
	read:   (*verdict).said,
	limits: map[int]time.Duration{130101: 10 * time.Minute, 90030: 10 * time.Minute, 660026: 10 * time.Minute},
	busy:   -1,
	hints:  map[int]string{310000: "the robot's security settings: its keyword may be gorsyncd, its secret belongs into secret_file, its IP list needs this machine; and the clock must be right"},
	gone:   "check the URL: the robot may have been removed",
}

var weCom = robot{
	name:   "WeCom",
	read:   (*verdict).said,
	limits: map[int]time.Duration{45009: time.Minute, 45033: time.Minute},
	busy:   -1,
	gone:   "check the URL: the robot may have been removed",
}

const feishuPlaces = "the robot's security settings: its keyword may be gorsyncd, its IP list needs this machine"

var feishu = robot{
	name:   "Feishu",
	read:   (*verdict).told,
	limits: map[int]time.Duration{11232: time.Minute, 99991400: time.Minute},
	hints: map[int]string{
		19021: "secret_file has to hold the secret of the robot's signature check, and the clock must be right",
		19022: feishuPlaces,
		19024: feishuPlaces,
	},
	gone: "check the URL: the robot may have been removed or switched off",
	limited: func(code int, text string) bool {
		return code == 9499 && strings.Contains(strings.ToLower(text), "too many")
	},
}

// judge reads an answer whose status was good: it may be a refusal all the same.
func (b *robot) judge(r *outbound.Reply) *notify.Failure {
	const hint = "check the URL and format"
	var v verdict
	if json.Unmarshal(r.Body, &v) != nil {
		return person(idAnswer, hint, "the answer is none of this service: %s", r.Said())
	}
	code, text := b.read(&v)
	switch {
	case code == nil:
		return person(idAnswer, hint, "the answer is none of %s: %s", b.name, r.Said())
	case *code == 0:
		return nil
	}
	after, limit := b.limits[*code]
	if b.limited != nil && b.limited(*code, text) {
		after, limit = time.Minute, true
	}
	switch answered := fmt.Sprintf("%s answered %d %s", b.name, *code, text); {
	case limit:
		return limited(after, "%s", answered)
	case *code == b.busy:
		return transient(idAnswer, "", "%s", answered)
	default:
		return person(idAnswer, cmp.Or(b.hints[*code], b.gone), "%s", answered)
	}
}

func judgeHealthchecks(r *outbound.Reply) *notify.Failure {
	switch said := strings.ToLower(r.Said()); {
	case strings.Contains(said, "not found"):
		return person(idAnswer, "there is no such check: look at its URL", "the server answered %s", r.Said())
	case strings.Contains(said, "rate limited"):
		return limited(time.Minute, "the server answered %s", r.Said())
	}
	return nil
}
