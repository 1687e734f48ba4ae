package lsyncd

import (
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// fields are the string keys of a table, in order.
func fields(t *lua.LTable) []string {
	var names []string
	t.ForEach(func(k, _ lua.LValue) {
		if s, ok := k.(lua.LString); ok && string(s) != kindKey {
			names = append(names, string(s))
		}
	})
	slices.Sort(names)
	return names
}

func text(t *lua.LTable, key string) string {
	v := t.RawGetString(key)
	if v.Type() == lua.LTString || v.Type() == lua.LTNumber {
		return v.String()
	}
	return ""
}

// list is a table of texts, or one text.
func list(v lua.LValue) []string {
	switch v := v.(type) {
	case lua.LString, lua.LNumber:
		return []string{v.String()}
	case *lua.LTable:
		var all []string
		for i := 1; i <= v.Len(); i++ {
			all = append(all, v.RawGetInt(i).String())
		}
		return all
	}
	return nil
}

func sub(t *lua.LTable, key string) *lua.LTable {
	if s, ok := t.RawGetString(key).(*lua.LTable); ok {
		return s
	}
	return &lua.LTable{}
}

// kindOf returns which of the defaults a sync is, "" for none. What is made of a
// default, as `rsyncssh2 = {default.rsyncssh, …}`, is none.
func kindOf(t *lua.LTable) string {
	first, ok := t.RawGetInt(1).(*lua.LTable)
	if !ok {
		return ""
	}
	return text(first, kindKey)
}

// lines are the patterns in a file as rsync reads them: one a line, comments begin
// with # or ;.
func lines(data string) []string {
	var all []string
	for line := range strings.SplitSeq(data, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line != "" && line[0] != '#' && line[0] != ';' {
			all = append(all, line)
		}
	}
	return all
}
