package page

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// The texts of each language, under the same keys. assets/text.js reads the
// same files.
//
//go:embed lang/*.json
var langFiles embed.FS

// texts of one language. A text has places like {name}; one whose key ends in
// .one is used in place of the other when n is 1.
type texts map[string]string

// languages by what they are called in ?lang= and the cookie; the first one is
// for those who have no preference.
var languages = []string{"en", "zh"}

// textsOf are the texts of each language.
var textsOf = sync.OnceValue(func() map[string]texts {
	all := map[string]texts{}
	for _, l := range languages {
		b, err := langFiles.ReadFile("lang/" + l + ".json")
		if err != nil {
			panic(err) // embedded
		}
		t := texts{}
		if err := json.Unmarshal(b, &t); err != nil {
			panic(fmt.Sprintf("lang/%s.json: %v", l, err))
		}
		all[l] = t
	}
	return all
})

// say returns the text of a key with its places filled in from pairs of name
// and value. A key that does not exist is returned itself: tests find those.
func (t texts) say(key string, pairs ...any) string {
	var places []string
	for i := 0; i+1 < len(pairs); i += 2 {
		name, value := pairs[i].(string), fmt.Sprint(pairs[i+1])
		if name == "n" && value == "1" {
			if _, ok := t[key+".one"]; ok {
				key += ".one"
			}
		}
		places = append(places, "{"+name+"}", value)
	}
	text, ok := t[key]
	if !ok {
		return key
	}
	return strings.NewReplacer(places...).Replace(text)
}

// known is say for a key that may not exist: "" then.
func (t texts) known(key string) string { return t[key] }

// langCookie holds the language that a reader has chosen with ?lang=.
const langCookie = "gorsyncd_lang"

// chooseLang takes the language asked for now, chosen before, or preferred by
// the browser. chosen tells whether it was asked for now.
func chooseLang(r *http.Request) (lang string, chosen bool) {
	if l := r.URL.Query().Get("lang"); textsOf()[l] != nil {
		return l, true
	}
	if c, err := r.Cookie(langCookie); err == nil && textsOf()[c.Value] != nil {
		return c.Value, false
	}
	return preferred(r.Header.Get("Accept-Language")), false
}

// preferred is the language with the highest weight of an Accept-Language.
func preferred(accept string) string {
	best, weight := languages[0], 0.0
	for item := range strings.SplitSeq(accept, ",") {
		tag, param, _ := strings.Cut(strings.TrimSpace(item), ";")
		base, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if textsOf()[base] == nil {
			continue
		}
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(param), "q="); ok {
			if f, err := strconv.ParseFloat(v, 64); err == nil {
				q = f
			}
		}
		if q > weight {
			best, weight = base, q
		}
	}
	return best
}
