package main

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table is Markdown with its columns aligned, so that it reads well in a terminal too.
func table(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	rule := make([]string, len(widths))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width)
	}
	var out strings.Builder
	for _, line := range slices.Insert(slices.Clone(lines), 1, rule) {
		for i, cell := range line {
			out.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + " ")
		}
		out.WriteString("|\n")
	}
	return out.String()
}

// number keeps two digits of small figures, which requests a pod need, and none of large ones.
func number(f float64) string {
	switch {
	case f == float64(int(f)):
		return strconv.Itoa(int(f))
	case f >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	default:
		return strconv.FormatFloat(f, 'f', 2, 64)
	}
}

func orDash(f float64) string {
	if f == 0 {
		return "-"
	}
	return number(f)
}

func ratio(burst, control float64) string {
	if burst == 0 || control == 0 {
		return "-"
	}
	return number(burst / control)
}
