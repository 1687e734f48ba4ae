package channel

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// preset is how a service wants its messages.
type preset struct {
	content string // type
	limit   int    // bytes of title and text
	signs   bool
	fill    func(r *request, m *notify.Message, title, text, secret string, now time.Time)
	judge   func(*outbound.Reply) *notify.Failure // of an answer with a good status; nil for good
}

const asJSON = "application/json; charset=utf-8"

// slack is what the text between title and body, and names of keys, need besides.
const slack = 48

var presets = map[string]preset{
	"json":         {content: asJSON, limit: 64 << 10, signs: true, fill: fillJSON},
	"slack":        {content: asJSON, limit: 8000, fill: fillSlack},
	"ntfy":         {content: "text/plain; charset=utf-8", limit: 4096 - slack, fill: fillNtfy},
	"dingtalk":     {content: asJSON, limit: 8000, signs: true, fill: fillDingTalk, judge: dingTalk.judge},
	"wecom":        {content: asJSON, limit: 2048 - slack, fill: fillText, judge: weCom.judge},
	"feishu":       {content: asJSON, limit: 8000, signs: true, fill: fillFeishu, judge: feishu.judge},
	"healthchecks": {content: "text/plain; charset=utf-8", limit: 8000, fill: fillHealthchecks, judge: judgeHealthchecks},
}

func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // maps and structs of texts and numbers
	return bytes.TrimSpace(b.Bytes())
}

func both(title, text string) string { return strings.TrimSpace(title + "\n\n" + text) }

// SignatureHeader carries the HMAC-SHA256 of the body under the secret, in hex.
const SignatureHeader = "X-Gorsyncd-Signature-256"

func fillJSON(r *request, m *notify.Message, _, _, secret string, _ time.Time) {
	r.body = encode(m)
	if secret != "" {
		r.head.Set(SignatureHeader, "sha256="+hex.EncodeToString(mac(secret, string(r.body))))
	}
}

func mac(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

func fillSlack(r *request, _ *notify.Message, title, text, _ string, _ time.Time) {
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(both(title, text))
	r.body = encode(map[string]any{"text": escaped, "mrkdwn": false})
}

func fillNtfy(r *request, m *notify.Message, title, text, _ string, _ time.Time) {
	q := r.url.Query()
	q.Set("title", title)
	switch m.Kind {
	case notify.Problem:
		q.Set("priority", "high")
		q.Set("tags", "warning")
	case notify.Recovery:
		q.Set("tags", "white_check_mark")
	}
	r.url.RawQuery = q.Encode()
	r.body = []byte(text)
}

func fillText(r *request, _ *notify.Message, title, text, _ string, _ time.Time) {
	r.body = encode(map[string]any{"msgtype": "text", "text": map[string]string{"content": both(title, text)}})
}

func fillDingTalk(r *request, _ *notify.Message, title, text, secret string, now time.Time) {
	r.body = encode(map[string]any{"msgtype": "text", "text": map[string]string{"content": both(title, text)}, "at": map[string]bool{"isAtAll": false}})
	if secret == "" {
		return
	}
	stamp := strconv.FormatInt(now.UnixMilli(), 10)
	q := r.url.Query()
	q.Set("timestamp", stamp)
	q.Set("sign", base64.StdEncoding.EncodeToString(mac(secret, stamp+"\n"+secret)))
	r.url.RawQuery = q.Encode()
}

// fillFeishu keeps <at …>, which a text may hold to mention people, from being one.
func fillFeishu(r *request, _ *notify.Message, title, text, secret string, now time.Time) {
	content := strings.NewReplacer("<", "‹", ">", "›").Replace(both(title, text))
	doc := map[string]any{"msg_type": "text", "content": map[string]string{"text": content}}
	if secret != "" {
		stamp := strconv.FormatInt(now.Unix(), 10)
		doc["timestamp"], doc["sign"] = stamp, base64.StdEncoding.EncodeToString(mac(stamp+"\n"+secret, ""))
	}
	r.body = encode(doc)
}

// fillHealthchecks: a test is only logged there, it says nothing of how we are.
func fillHealthchecks(r *request, m *notify.Message, _, text, _ string, _ time.Time) {
	switch m.Kind {
	case notify.Heartbeat:
	case notify.Test:
		r.url = r.url.JoinPath("log")
	default:
		r.url = r.url.JoinPath("fail")
	}
	r.body = []byte(text)
}
