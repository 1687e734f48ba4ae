package channel

import (
	"encoding/json"
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

// code reads the first of the given places that is there.
func (v *verdict) code(places ...*int) (int, bool) {
	for _, p := range places {
		if p != nil && *p != 0 {
			return *p, true
		}
	}
	for _, p := range places {
		if p != nil {
			return 0, true
		}
	}
	return 0, false
}

func readVerdict(r *outbound.Reply) (v verdict, err *notify.Failure) {
	if json.Unmarshal(r.Body, &v) != nil {
		return v, person(idAnswer, "check the URL and format", "the answer is none of this service: %s", r.Said())
	}
	return v, nil
}

// silence is how long DingTalk takes nothing after too many messages.
const silence = 10 * time.Minute

func judgeDingTalk(r *outbound.Reply) *notify.Failure {
	v, f := readVerdict(r)
	if f != nil {
		return f
	}
	code, there := v.code(v.ErrCode)
	switch {
	case !there:
		return person(idAnswer, "check the URL and format", "the answer is none of DingTalk: %s", r.Said())
	case code == 0:
		return nil
	case code == 130101 || code == 90030 || code == 660026:
		return limited(silence, "DingTalk answered %d %s", code, v.ErrMsg)
	case code == -1:
		return transient(idAnswer, "", "DingTalk answered %d %s", code, v.ErrMsg)
	case code == 310000:
		return person(idAnswer, "the robot's security settings: its keyword may be gorsyncd, its secret belongs into secret_file, its IP list needs this machine; and the clock must be right", "DingTalk answered %d %s", code, v.ErrMsg)
	}
	return person(idAnswer, "check the URL: the robot may have been removed", "DingTalk answered %d %s", code, v.ErrMsg)
}

func judgeWeCom(r *outbound.Reply) *notify.Failure {
	v, f := readVerdict(r)
	if f != nil {
		return f
	}
	code, there := v.code(v.ErrCode)
	switch {
	case !there:
		return person(idAnswer, "check the URL and format", "the answer is none of WeCom: %s", r.Said())
	case code == 0:
		return nil
	case code == 45009 || code == 45033:
		return limited(time.Minute, "WeCom answered %d %s", code, v.ErrMsg)
	case code == -1:
		return transient(idAnswer, "", "WeCom answered %d %s", code, v.ErrMsg)
	}
	return person(idAnswer, "check the URL: the robot may have been removed", "WeCom answered %d %s", code, v.ErrMsg)
}

func judgeFeishu(r *outbound.Reply) *notify.Failure {
	v, f := readVerdict(r)
	if f != nil {
		return f
	}
	code, there := v.code(v.Code, v.StatusCode)
	said := v.Msg
	if said == "" {
		said = v.StatusMsg
	}
	switch {
	case !there:
		return person(idAnswer, "check the URL and format", "the answer is none of Feishu: %s", r.Said())
	case code == 0:
		return nil
	case code == 11232 || code == 99991400 || code == 9499 && strings.Contains(strings.ToLower(said), "too many"):
		return limited(time.Minute, "Feishu answered %d %s", code, said)
	case code == 19021:
		return person(idAnswer, "secret_file has to hold the secret of the robot's signature check, and the clock must be right", "Feishu answered %d %s", code, said)
	case code == 19022 || code == 19024:
		return person(idAnswer, "the robot's security settings: its keyword may be gorsyncd, its IP list needs this machine", "Feishu answered %d %s", code, said)
	}
	return person(idAnswer, "check the URL: the robot may have been removed or switched off", "Feishu answered %d %s", code, said)
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
