package delegate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTextOfATargetIsBoundedAndClean(t *testing.T) {
	tests := map[string]struct {
		text      string
		multiline bool
		want      string
	}{
		"plain text stays":                 {text: "OOMKilled: 5 MiB", want: "OOMKilled: 5 MiB"},
		"other alphabets stay":             {text: "плохо 悪い é", want: "плохо 悪い é"},
		"a line's end becomes a space":     {text: "a\nb\tc", want: "a b c"},
		"lines stay where they may":        {text: "a\nb\tc", multiline: true, want: "a\nb\tc"},
		"a terminal is not driven":         {text: "\x1b[2Jclear\r\x00", want: "[2Jclear"},
		"text is not turned around":        {text: "abc\u202etxt", want: "abctxt"},
		"what is no UTF-8 goes":            {text: "a\xff\xfeb", want: "ab"},
		"a replacement sign is a sign":     {text: "a\ufffdb", want: "a\ufffdb"},
		"as long as it may be":             {text: strings.Repeat("é", 16), want: strings.Repeat("é", 16)},
		"longer is cut":                    {text: strings.Repeat("a", 33), want: strings.Repeat("a", 29) + "…"},
		"no rune is cut in two":            {text: strings.Repeat("é", 17), want: strings.Repeat("é", 14) + "…"},
		"what is cut is judged once clean": {text: strings.Repeat("\x00", 99) + "a", want: "a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := bound(tt.text, 32, tt.multiline)
			assert.Equal(t, tt.want, got)
			assert.Equal(t, got, bound(got, 32, tt.multiline), "twice is once")
		})
	}
}
