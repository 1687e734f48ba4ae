package config

import (
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"gorsyncd/replicate"
)

// BWLimit is how many bytes per second one rsync may send, by the time of the
// week; 0 is no limit.
type BWLimit struct {
	Times     []TimedRate // the first that holds counts
	Otherwise Size
}

// TimedRate is a rate for a span of time, written as one of window.
type TimedRate struct {
	When string
	Rate Size
}

const otherwise = "otherwise"

var rate = size(0, maxSize)

// bwLimit reads one rate, or a mapping of times to rates in their order.
func bwLimit(p *parser, key string, n *yaml.Node) (BWLimit, bool) {
	n = deref(n)
	p.takes(n, yaml.MappingNode, schema{"type": "object", "additionalProperties": aSize})
	if n.Kind != yaml.MappingNode {
		v, ok := rate(p, key, n)
		return BWLimit{Otherwise: v}, ok
	}
	var l BWLimit
	before, lines := len(p.rep.list), map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := deref(n.Content[i])
		when, ok := p.text(k, "a time of "+key)
		if !ok {
			continue
		}
		if line, again := lines[when]; again {
			p.fail(k, "%s: %q appears twice (first in line %d)", key, when, line)
			continue
		}
		lines[when] = k.Line
		v, _ := rate(p, key, n.Content[i+1])
		if when == otherwise {
			l.Otherwise = v
			continue
		}
		if err := checkWindow(when); err != nil {
			hint := ""
			if !strings.ContainsAny(when, "0123456789") {
				hint = "; the limit for all other times is called " + otherwise
			}
			p.fail(k, "%s: %v%s", key, err, hint)
		}
		l.Times = append(l.Times, TimedRate{when, v})
	}
	if len(l.Times) == 0 && len(p.rep.list) == before {
		p.fail(n, "%s: a mapping needs times such as \"08:00-20:00\": 5M; one limit for all times stands alone", key)
	}
	return l, len(p.rep.list) == before
}

// node spells the limit as the file would.
func (l BWLimit) node() *yaml.Node {
	if len(l.Times) == 0 {
		return value(l.Otherwise)
	}
	m := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, t := range l.Times {
		m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: t.When, Style: yaml.DoubleQuotedStyle}, value(t.Rate))
	}
	m.Content = append(m.Content, plain(otherwise), value(l.Otherwise))
	return m
}

// Limit is what replicate makes of it.
func (l BWLimit) Limit() *replicate.BWLimit {
	times := make([]replicate.LimitAt, 0, len(l.Times))
	for _, t := range l.Times {
		times = append(times, replicate.LimitAt{When: t.When, Rate: int64(t.Rate)})
	}
	limit, _ := replicate.NewBWLimit(int64(l.Otherwise), times...) // each was parsed before
	return limit
}
