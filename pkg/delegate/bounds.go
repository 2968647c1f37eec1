package delegate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds, in bytes, of what a target may write into the source cluster.
const (
	maxMessage     = 1 << 10
	maxTermination = 4 << 10 // a kubelet's own bound of a termination message, which programs use to report results
	maxReason      = 128
)

const ellipsis = "…"

// word bounds a reason.
func word(s string) string { return bound(s, maxReason, false) }

// line bounds text for people to one line without control characters, which could forge log lines or drive a terminal.
func line(s string) string { return bound(s, maxMessage, false) }

// lines is line for text that may have several, such as the end of a log.
func lines(s string, size int) string { return bound(s, size, true) }

// saidBy begins a message with who says it.
func saidBy(target, message string) string {
	if target == "" || message == "" {
		return line(message)
	}
	return line("target " + target + ": " + message)
}

func bound(s string, size int, multiline bool) string {
	if len(s) <= size && isPlain(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if r = allowed(r, s[i:], multiline); r >= 0 {
			b.WriteRune(r)
		}
		if b.Len() > size {
			return cut(b.String(), size-len(ellipsis)) + ellipsis
		}
	}
	return b.String()
}

// cut returns the start of a text, at most size bytes and no half of a rune.
func cut(s string, size int) string {
	for !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size]
}

// allowed returns the rune to write for one that was read, and -1 for none.
func allowed(r rune, rest string, multiline bool) rune {
	switch {
	case r == utf8.RuneError && !strings.HasPrefix(rest, string(utf8.RuneError)): // a byte that is no UTF-8
		return -1
	case r == '\n' || r == '\t':
		if multiline {
			return r
		}
		return ' '
	case unicode.IsGraphic(r):
		return r
	default:
		return -1
	}
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
