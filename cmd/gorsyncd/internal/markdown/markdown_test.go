package markdown

import (
	"reflect"
	"testing"
)

func TestBlocks(t *testing.T) {
	text := "# One\n\nuse `x`\n\n```sh\n# no heading\nls\n```\n\n## Two\n```yaml\n```\n```sh background\nsleep 1\n```\nend\n"
	want := []Block{
		{Info: "sh", Heading: "One", Line: 5, Text: "# no heading\nls\n"},
		{Info: "yaml", Heading: "Two", Line: 11},
		{Info: "sh background", Heading: "Two", Line: 13, Text: "sleep 1\n"},
	}
	got := Blocks(text)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if l := got[2].Lang(); l != "sh" {
		t.Errorf("language %q", l)
	}
	if got, want := Prose(text), "# One\n\nuse `x`\n\n\n\n\n\n\n## Two\n\n\n\n\n\nend\n"; got != want {
		t.Errorf("prose %q, want %q", got, want)
	}
}
