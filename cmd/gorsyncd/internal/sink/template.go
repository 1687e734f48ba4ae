package sink

import (
	"encoding/json"
	"strings"
)

// fill puts addresses into a template. Everything but {url} and {path}, which are
// escaped already, goes through escape; what a name holds cannot reach beyond its
// place.
func fill(template string, group []address, user, password string, escape func(string) string) string {
	if !strings.Contains(template, "{") {
		return template
	}
	kind := "urls"
	if group[0].isDir {
		kind = "dirs"
	}
	urls := make([]string, len(group))
	for i, a := range group {
		urls[i] = a.url
	}
	list, _ := json.Marshal(urls) // strings of ASCII
	return strings.NewReplacer(
		holderURL, group[0].url, holderPath, strings.TrimPrefix(group[0].path, "/"), holderKind, kind,
		holderUser, escape(user), holderPassword, escape(password),
		holderQuery, escape(strings.Join(urls, "\r\n")), holderJSON, string(list), holderLines, strings.Join(urls, "\n"),
	).Replace(template)
}

// jsonInside is a text as it stands between the quotes of a JSON string.
func jsonInside(text string) string {
	b, _ := json.Marshal(text) // a string always can be
	return string(b[1 : len(b)-1])
}
