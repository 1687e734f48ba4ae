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

// inherited is a table with what it lacks from the tables it begins with, as in
// `mirror = {default.rsync, delay = 1}` and `sync{mirror, source = …}`.
func inherited(t *lua.LTable, depth int) *lua.LTable {
	all := &lua.LTable{}
	t.ForEach(func(k, v lua.LValue) {
		if _, ok := k.(lua.LString); ok {
			all.RawSet(k, v)
		}
	})
	for i := 1; i <= t.Len() && depth > 0; i++ {
		if from, ok := t.RawGetInt(i).(*lua.LTable); ok {
			fill(all, inherited(from, depth-1))
		}
	}
	return all
}

// maxInherit is far above what anybody writes.
const maxInherit = 20

// fill gives a table what it lacks, the tables in it as well.
func fill(t, from *lua.LTable) {
	from.ForEach(func(k, v lua.LValue) {
		own := t.RawGet(k)
		a, ok := own.(*lua.LTable)
		b, ok2 := v.(*lua.LTable)
		switch {
		case own == lua.LNil:
			t.RawSet(k, v)
		case ok && ok2 && a.Len() == 0 && b.Len() == 0:
			both := inherited(a, 0)
			fill(both, inherited(b, 0))
			t.RawSet(k, both)
		}
	})
}

// kindOf returns which of the defaults a sync is, "" for none.
func kindOf(t *lua.LTable) string { return text(t, kindKey) }

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
