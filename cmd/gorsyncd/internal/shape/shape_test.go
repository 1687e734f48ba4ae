package shape

import (
	"encoding/json"
	"testing"
	"time"
)

// Word is one of some.
type word string

const (
	wordOne word = "one"
	wordTwo word = "two"
)

type base struct {
	Same  string `json:"same"`
	Inner int64  `json:"inner"` // of the base
}

type maybe struct {
	Extra bool `json:"extra"`
}

type sample struct {
	base
	*maybe
	Same   float64         `json:"same"`
	When   *time.Time      `json:"when"`
	List   []word          `json:"list"`
	By     map[word]uint64 `json:"by"`
	Opt    string          `json:"opt,omitempty"`
	Hidden string          `json:"-"`
	hidden string
}

type itself struct{}

func (itself) MarshalJSON() ([]byte, error) { return []byte(`{}`), nil }

func TestSchema(t *testing.T) {
	s, err := New("gorsyncd", "../../../..").Schema(sample{hidden: "", List: []word{wordOne, wordTwo}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	// The comment of a field in a test file is not looked for.
	const want = `{"properties":{"by":{"additionalProperties":{"minimum":0,"type":"integer"},"type":"object"},"extra":{"type":"boolean"},` +
		`"inner":{"type":"integer"},"list":{"items":{"type":"string"},"type":"array"},"opt":{"type":"string"},"same":{"type":"number"},` +
		`"when":{"anyOf":[{"format":"date-time","type":"string"},{"type":"null"}]}},"required":["by","inner","list","same","when"],"type":"object"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := New("gorsyncd", "../../../..").Schema(struct{ X []itself }{}); err == nil {
		t.Error("a type that writes itself in a way of its own was taken for its fields")
	}
}
